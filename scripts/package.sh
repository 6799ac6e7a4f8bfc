#!/usr/bin/env bash
# package.sh [--scan] [FOLDER]: the plugin's zip of what is committed (HEAD), in the folder (build/), checked.
# --scan also runs bandit and detect-secrets over what is in it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environments.sh"

scan=
if [[ ${1:-} == --scan ]]; then
    scan=yes
    shift
fi
target=${1:-$BUILD}
mkdir -p "$target"
target=$(cd "$target" && pwd)
cd "$ROOT"

python=$(engine_python)
version=$(git show HEAD:metadata.txt | sed -n 's/^version=//p')
package=$target/fusion_mapper-$version.zip
[[ -z $(git status --porcelain -- "${SHIPPED[@]}") ]] ||
    say "warning: there are uncommitted changes, and the package holds only what is committed"

# Beside its final name first: an unsound package never stands under it.
draft=$(mktemp -d "$target/.package-XXXXXX")
trap 'rm -rf "$draft"' EXIT
git archive --format=zip --prefix=fusion_mapper/ -o "$draft/${package##*/}" HEAD
"$python" "$ROOT/scripts/check_package.py" "$draft/${package##*/}"
if [[ -n $scan ]]; then
    "$python" -m zipfile -e "$draft/${package##*/}" "$draft"
    "$ROOT/scripts/scan.sh" "$draft" fusion_mapper
fi
mv "$draft/${package##*/}" "$package"
printf '%s\n' "$package"

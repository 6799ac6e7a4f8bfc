#!/usr/bin/env bash
# scan.sh FOLDER NAME...: bandit and detect-secrets over what is named in the folder, with every rule and plugin on, as
# the plugin site runs them. Any finding fails, low severity included; nothing found is tried out on the network.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environments.sh"

# detect-secrets silently finds nothing outside the folder that it runs in.
cd "$1"
shift

code=()
for name in "$@"; do
    [[ -d $name || $name == *.py ]] && code+=("$name")
done

status=0
"$ROOT/.venv-lint/bin/bandit" --quiet --recursive "${code[@]}" || status=1
"$ROOT/.venv-lint/bin/detect-secrets" scan --all-files --no-verify --exclude-files '__pycache__/' "$@" |
    "$ROOT/.venv-lint/bin/python" "$ROOT/scripts/report_secrets.py" || status=1
exit "$status"

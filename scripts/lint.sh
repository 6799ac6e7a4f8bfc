#!/usr/bin/env bash
# ruff over everything; flake8-qgis over what QGIS loads; bandit and detect-secrets over what ships.
# All of them run, and any finding fails.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environments.sh"
cd "$ROOT"

shipped=()
for path in "${SHIPPED[@]}"; do
    [[ -e $path ]] && shipped+=("$path")
done

status=0
.venv-lint/bin/ruff check . || status=1
.venv-lint/bin/flake8 || status=1
scripts/scan.sh . "${shipped[@]}" || status=1
exit "$status"

#!/usr/bin/env bash
# scan.sh PATH...: bandit and detect-secrets with every rule and plugin on, as the plugin site runs them.
# Any finding fails, low severity included.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environments.sh"

"$ROOT/.venv-lint/bin/bandit" --quiet --recursive "$@"
"$ROOT/.venv-lint/bin/detect-secrets" scan --all-files --exclude-files '__pycache__/' "$@" |
    "$ROOT/.venv-lint/bin/python" "$ROOT/scripts/report_secrets.py"

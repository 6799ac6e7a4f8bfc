#!/usr/bin/env bash
# Runs the whole fault suite (50 kills, thousands of spoiled files) in the engine's environment; words after it go to
# pytest. `make test` takes a few rounds of it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environments.sh"
cd "$ROOT"

FUSION_MAPPER_FAULTS=full .venv-engine/bin/python -m pytest tests/faults "$@"

#!/usr/bin/env bash
# Runs the benchmarks, each a Python file in benchmarks/. A word names one, and more words go to it: bench.sh gui_gaps --stacks 20
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environments.sh"
cd "$ROOT"

benchmarks=(benchmarks/*.py)
if [[ $# -gt 0 ]]; then
    benchmarks=("benchmarks/$1.py")
    shift
fi
status=0
for benchmark in "${benchmarks[@]}"; do
    .venv-engine/bin/python "$benchmark" "$@" || status=$?
done
exit "$status"

#!/usr/bin/env bash
# Runs the benchmarks, each a Python file in benchmarks/, in the engine's environment.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environments.sh"
cd "$ROOT"

shopt -s nullglob
benchmarks=(benchmarks/bench_*.py)
[[ ${#benchmarks[@]} -gt 0 ]] || {
    say "There is no benchmark yet: the folder benchmarks/ holds none."
    exit 0
}
for benchmark in "${benchmarks[@]}"; do
    .venv-engine/bin/python "$benchmark"
done

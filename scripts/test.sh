#!/usr/bin/env bash
# Runs the engine's tests in the engine's environment, those of training in the one with torch, then those that need QGIS
# in QGIS's; all of them always run. Words after it go to pytest every time: scripts/test.sh -x -k raster
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environments.sh"
cd "$ROOT"

# pytest exits with 5 where it collected nothing.
NOTHING_COLLECTED=5

# suite NAME FOLDER... -- COMMAND...: one pytest run; its output is shown and kept in build/test-NAME.log.
suite() {
    local name=$1 folders=() status=0
    shift
    while [[ $1 != -- ]]; do
        [[ -n $(find "$1" -name 'test_*.py' -print -quit 2>/dev/null) ]] && folders+=("$1")
        shift
    done
    shift
    if [[ ${#folders[@]} -eq 0 ]]; then
        say "There are no $name tests yet."
        return
    fi
    "$@" "${folders[@]}" 2>&1 | tee "$BUILD/test-$name.log" || status=$?
    return "$status"
}

mkdir -p "$BUILD"
selected=$#
passed() { [[ $1 -eq 0 || ($1 -eq NOTHING_COLLECTED && $selected -gt 0) ]]; }

# What needs torch, or is checked against its libraries.
LEARNING=(tests/models/accuracy tests/models/architectures tests/models/training tests/inference/learning)

engine=0
suite engine tests/models tests/inference tests/house tests/faults -- \
    .venv-engine/bin/python -m pytest "${LEARNING[@]/#/--ignore=}" "$@" || engine=$?

# One thread: small networks gain nothing by more, and tests that run at once would fight for the cores.
training=0
suite training "${LEARNING[@]}" -- env OMP_NUM_THREADS=1 .venv-train/bin/python -m pytest "$@" || training=$?

# No display is needed: tests that want a real window open a virtual one of their own (scripts/run_qgis.sh --xvfb).
qgis=0
suite qgis tests/toolbox tests/ui tests/end_to_end -- \
    env QT_QPA_PLATFORM=offscreen .venv-qgis/bin/python -m pytest "$@" || qgis=$?

# The last thing shown must not be a summary that says all is well.
failed=()
passed "$engine" || failed+=(engine)
passed "$training" || failed+=(training)
if [[ ${#failed[@]} -gt 0 ]] && passed "$qgis"; then
    for name in "${failed[@]}"; do
        sed -n '/short test summary info/,$p' "$BUILD/test-$name.log"
    done
fi
[[ ${#failed[@]} -eq 0 ]] && passed "$qgis"

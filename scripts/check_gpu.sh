#!/usr/bin/env bash
# Checks the GPU part on this machine's graphics card; where there is none, says so in one sentence and ends well.
# Words after it go to pytest. FUSION_MAPPER_ENGINE names the Python to check in place of an environment of its own, and
# FUSION_MAPPER_CHECK_DEVICES devices to check in place of the card's: `FUSION_MAPPER_CHECK_DEVICES=openvino` tries the
# checks themselves where there is no card.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environments.sh"
cd "$ROOT"

# CUDA 13 needs this driver, and a card of compute capability 7.5 (toolbox/setup/layers.py).
CUDA13_DRIVER=580

# The driver's version, such as 580.65.06; nothing where no card answers.
driver() { timeout 60 nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | grep -m 1 -E '^[0-9]+\.'; }

# The wheels that the plugin installs for its users on such a driver, in an environment of their own.
gpu_environment() {
    local layer=cuda12
    [[ ${1%%.*} -lt $CUDA13_DRIVER ]] || layer=cuda13
    ensure_environment ".venv-$layer" engine_python ../resources/requirements/engine.txt
    ensure_environment ".venv-$layer" engine_python "../resources/requirements/$layer.txt"
    ensure_environment ".venv-$layer" engine_python requirements-dev.txt
    python=$ROOT/.venv-$layer/bin/python
}

python=${FUSION_MAPPER_ENGINE:-}
if [[ -n ${FUSION_MAPPER_CHECK_DEVICES:-} ]]; then
    python=${python:-$ROOT/.venv-engine/bin/python}
else
    if ! version=$(driver); then
        say "No graphics card of NVIDIA answers here, so the GPU part was not checked."
        exit 0
    fi
    [[ -n $python ]] || gpu_environment "$version"
fi

mkdir -p "$BUILD"
"$python" -m pytest tests/gpu "$@" 2>&1 | tee "$BUILD/check-gpu.log"

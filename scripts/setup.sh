#!/usr/bin/env bash
# Installs what is missing, and nothing that is there: setup.sh [system|engine|dev|qgis|lint|train]...
# Without a word: system, engine and qgis, which is what the plugin and the demo need.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environments.sh"

# QGIS with its Processing plugin and command line; venv for the environments; GDAL's tools, against which the tests
# compare; a display, clicks and pictures for the tests that open a real QGIS; fonts, so that its windows have text.
PACKAGES=(
    qgis python3-qgis qgis-providers
    python3-venv ca-certificates git
    gdal-bin
    xvfb xdotool imagemagick fonts-dejavu-core procps
)
COMMANDS=(qgis gdalwarp gdal_rasterize Xvfb xdotool import ps git)

as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    else
        command -v sudo >/dev/null || die "Installing QGIS needs root; run this as root, or install sudo."
        sudo "$@"
    fi
}

missing_packages() {
    local package
    for package in "${PACKAGES[@]}"; do
        [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || printf '%s\n' "$package"
    done
}

check_commands() {
    local command
    for command in "${COMMANDS[@]}"; do
        command -v "$command" >/dev/null ||
            die "'$command' is missing, and this is not a Debian system; install QGIS 3.22 or later, GDAL's tools, Xvfb, xdotool, ImageMagick and ps."
    done
}

install_system() {
    local missing apt=(apt-get -qq -o DPkg::Lock::Timeout=900)
    if ! command -v dpkg-query >/dev/null; then
        check_commands
        return
    fi
    mapfile -t missing < <(missing_packages)
    [[ ${#missing[@]} -eq 0 ]] && return
    say "Installing ${missing[*]}"
    as_root "${apt[@]}" update
    as_root env DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# One setup at a time: two that install into one environment would break it.
mkdir -p "$BUILD"
exec 9>"$BUILD/setup.lock"
flock 9

[[ $# -gt 0 ]] || set -- system engine qgis
for part in "$@"; do
    case $part in
    system) install_system ;;
    engine) ensure_environment .venv-engine engine_python requirements-engine.txt ;;
    dev) ensure_environment .venv-engine engine_python requirements-dev.txt ;;
    qgis) ensure_environment .venv-qgis qgis_python requirements-qgis.txt --system-site-packages ;;
    lint) ensure_environment .venv-lint engine_python requirements-lint.txt ;;
    train) ensure_environment .venv-train engine_python requirements-train.txt ;;
    *) die "setup.sh knows system, engine, dev, qgis, lint and train, not '$part'." ;;
    esac
done

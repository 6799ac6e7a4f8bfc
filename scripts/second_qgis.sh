#!/usr/bin/env bash
# The tests that need QGIS, in a second QGIS: 3.40 of Debian trixie, with Python 3.13, in a chroot of its own.
#   second_qgis.sh [PYTEST ARGUMENT...]        all of them, or those that an argument names: tests/ui -k dock
#
# The first call makes the chroot (some 12 GB with what trains models, a quarter of an hour); later ones only bring the
# checkout up to date in it. It lies in build/qgis340, or where FUSION_MAPPER_QGIS340 says. The checkout is copied into
# it, so that its tests and those of this machine can run side by side; the pictures that they take come back into
# build/screenshots-qgis340.
# Needs root. What is mounted lives in a namespace of its own, and goes with it however this ends.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environments.sh"

CHROOT=${FUSION_MAPPER_QGIS340:-$BUILD/qgis340}
SUITE=trixie
MIRROR=${FUSION_MAPPER_MIRROR:-} # debootstrap's own where none is named
DATA=${FUSION_MAPPER_DATA:-$ROOT/../shared/data}
# Within the chroot. The real layers lie beside the checkout, where the tests look for them.
INSIDE=/opt/fusion_mapper/checkout

[[ $(id -u) -eq 0 ]] || die "A chroot needs root; run this as root: sudo make test-qgis340"

make_chroot() {
    [[ -e $CHROOT/.made ]] && return
    command -v debootstrap >/dev/null || apt-get -qq install -y debootstrap >/dev/null
    [[ ! -e $CHROOT/debootstrap ]] || rm -rf "$CHROOT" # an earlier try did not come to its end
    if [[ ! -x $CHROOT/usr/bin/apt-get ]]; then
        say "Making $CHROOT, a Debian $SUITE"
        mkdir -p "$CHROOT"
        debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$CHROOT" $MIRROR >"$BUILD/debootstrap.log" ||
            die "debootstrap failed; see $BUILD/debootstrap.log."
    fi
    touch "$CHROOT/.made"
}

# How this machine reaches the network: its names, proxies, certificates, and where pip looks.
share_network() {
    local file
    for file in /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt /etc/pip.conf ~/.config/pip/pip.conf \
        $(grep -ls '^Acquire' /etc/apt/apt.conf.d/* || true); do
        [[ -e $file ]] || continue
        mkdir -p "$CHROOT$(dirname "$file")"
        cp -L "$file" "$CHROOT$file"
    done
}

# The checkout as it is on disk, committed or not; the environments and what tests left in the copy stay.
copy_checkout() {
    local copy=$CHROOT$INSIDE
    mkdir -p "$copy"
    find "$copy" -mindepth 1 -maxdepth 1 ! -name '.venv-*' ! -name build -exec rm -rf {} +
    git -C "$ROOT" ls-files --cached --others --exclude-standard -z |
        (cd "$ROOT" && xargs -0 ls -d 2>/dev/null | tar -c -T -) | tar -x -C "$copy"
    if [[ -d $DATA ]]; then
        mkdir -p "$copy/../shared"
        cp -ru "$DATA" "$copy/../shared/"
    fi
}

# inside COMMAND...: in the chroot's copy of the checkout, with little of this machine's environment.
inside() {
    local passed=() name
    for name in CI http_proxy https_proxy no_proxy PIP_CERT PIP_INDEX_URL PIP_DEFAULT_TIMEOUT OMP_NUM_THREADS; do
        [[ -z ${!name:-} ]] || passed+=("$name=${!name}")
    done
    # In the background, because bash answers no signal while it waits for a foreground command.
    unshare --mount --pid --fork --kill-child bash -c '
        mount --rbind /dev "$0/dev" && mount -t sysfs sysfs "$0/sys" && mount -t proc proc "$0/proc" && exec chroot "$@"
        ' "$CHROOT" "$CHROOT" /usr/bin/env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        DEBIAN_FRONTEND=noninteractive "${passed[@]}" bash -c 'cd "$0" && exec "$@"' "$INSIDE" "$@" &
    running=$!
    wait "$running"
}

keep_pictures() {
    [[ -d $CHROOT$INSIDE/build/screenshots ]] || return 0
    mkdir -p "$BUILD/screenshots-qgis340"
    cp -r "$CHROOT$INSIDE/build/screenshots/." "$BUILD/screenshots-qgis340/"
}

# Whoever ends this script also ends what runs in the chroot; unshare itself turns a deaf ear to TERM.
running=
trap '[[ -z $running ]] || kill -KILL "$running" 2>/dev/null || true; exit 143' TERM INT

mkdir -p "$BUILD"
exec 9>"$BUILD/second_qgis.lock"
flock -n 9 || die "Another second_qgis.sh is at work."
make_chroot
share_network
copy_checkout
inside scripts/setup.sh system engine qgis train
say "Testing in QGIS $(inside dpkg-query -W -f='${Version}' qgis)"
suites=(tests/toolbox tests/ui tests/end_to_end)
[[ " $*" == *" tests/"* ]] && suites=()
status=0
inside env QT_QPA_PLATFORM=offscreen .venv-qgis/bin/python -m pytest ${suites[@]+"${suites[@]}"} "$@" \
    > >(tee "$BUILD/test-qgis340.log") 2>&1 || status=$?
keep_pictures
exit "$status"

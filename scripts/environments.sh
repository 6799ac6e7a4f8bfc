# shellcheck shell=bash
# Sourced by the other scripts: where the checkout is, what of it ships, and how a Python environment is made.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$ROOT/build

# What goes into the plugin's zip; .gitattributes leaves out everything else.
# shellcheck disable=SC2034  # read by the scripts that source this one
SHIPPED=(__init__.py plugin.py metadata.txt LICENSE README.md ui toolbox inference models resources)

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

# find_python TEST PYTHON...: the first of the interpreters for which the Python code TEST passes.
# Each one is really started, because a name on PATH may be a version manager's shim that has nothing behind it.
find_python() {
    local test=$1 candidate
    shift
    for candidate in "$@"; do
        if "$candidate" -c "$test" >/dev/null 2>&1; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    return 1
}

engine_python() {
    find_python 'import ensurepip, sys, venv; raise SystemExit(sys.version_info < (3, 11))' \
        python3.13 python3.12 python3.11 python3 /usr/bin/python3 ||
        die "The engine needs Python 3.11 or later with its venv module; install python3 and python3-venv."
}

qgis_python() {
    find_python 'import ensurepip, qgis.core, venv' python3 /usr/bin/python3 ||
        die "No python3 here can import qgis; install QGIS with its Python bindings (python3-qgis)."
}

# fingerprint REQUIREMENTS: a hash of the file and of the files that it names.
fingerprint() {
    local constraints
    constraints=$(sed -n 's/^-[cr] //p' "$1")
    (cd "$(dirname "$1")" && cat "$(basename "$1")" ${constraints:+"$constraints"}) | sha256sum | cut -d ' ' -f 1
}

# An environment that was interrupted while it was made, or whose interpreter has gone, is not usable.
usable() { [[ ! -e $1/.unfinished ]] && "$1/bin/python" -c 'import pip' >/dev/null 2>&1; }

# ensure_environment NAME PYTHON_FINDER REQUIREMENTS [VENV OPTION...]
# Makes the environment where it is missing, and installs the requirements where they changed since the last time.
# An interpreter that is already there is kept.
ensure_environment() {
    local folder=$ROOT/$1 finder=$2 requirements=$ROOT/scripts/$3 stamp wanted python
    shift 3
    stamp=$folder/.installed-$(basename "$requirements")
    wanted=$(fingerprint "$requirements")
    if usable "$folder"; then
        [[ -f $stamp && $(<"$stamp") == "$wanted" ]] && return
    else
        python=$("$finder")
        say "Making $(basename "$folder") on $python"
        rm -rf "$folder"
        mkdir -p "$folder"
        touch "$folder/.unfinished"
        "$python" -m venv "$@" "$folder"
    fi
    say "Installing $(basename "$requirements") into $(basename "$folder")"
    touch "$folder/.unfinished"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
    printf '%s\n' "$wanted" >"$stamp"
    rm "$folder/.unfinished"
}

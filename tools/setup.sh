#!/usr/bin/env bash
# Makes this checkout ready: `tools/setup.sh run` to render, `tools/setup.sh train` to train as well,
# `tools/setup.sh dev` to work on it.
#
# Looks first, then acts: nothing is written until Python, venv and EGL are known to be there, or installed.
# The stamp in .venv is written last and names what it stands for, so a set-up that broke off is done again
# and one that stands costs no call of pip.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly WANT="${1:-run}"
readonly SETUPS="run train dev" # each covers those before it
readonly VENV=.venv
readonly ASKED="${PYTHON:-}"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

say() { printf 'scan2k: %s\n' "$*" >&2; }

key() {
    { cat pyproject.toml constraints.txt tools/setup.sh && pwd -P; } | sha256sum | cut -d' ' -f1
}

version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

is_ready() {
    local setup
    [ -x "$VENV/bin/python" ] || return 1
    [ -z "$ASKED" ] || [ "$(version_of "$ASKED")" = "$(version_of "$VENV/bin/python")" ] || return 1
    for setup in "$WANT" ${SETUPS#*"$WANT"}; do
        [ "$(cat "$VENV/ready-$setup" 2>/dev/null)" = "$(key)" ] && return 0
    done
    return 1
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# Whether .venv is whole and of this Python's version.
venv_serves() {
    [ "$(version_of "$VENV/bin/python")" = "$(version_of "$1")" ] && "$VENV/bin/python" -m pip --version >/dev/null 2>&1
}

find_python() {
    local name
    if [ -z "$ASKED" ] && is_new_enough "$VENV/bin/python" && venv_serves "$VENV/bin/python"; then
        echo "$VENV/bin/python"
        return
    fi
    for name in ${ASKED:-python3 python3.11 python3.12 python3.13}; do
        is_new_enough "$name" && command -v "$name" && return 0
    done
    return 1
}

# Prints the Debian packages this machine lacks, one a line.
missing_packages() {
    local python="$1"
    venv_serves "$python" || "$python" -c 'import ensurepip, venv' 2>/dev/null \
        || echo "python$(version_of "$python")-venv"
    "$python" pipeline/render/egl.py >/dev/null 2>&1 || printf '%s\n' libegl1 libgl1 libgl1-mesa-dri
}

install_packages() {
    local -a sudo=()
    local packages="$*"
    local as_root="" where=" as root"
    ! command -v sudo >/dev/null || { as_root="sudo " && where=""; }
    if ! command -v apt-get >/dev/null; then
        say "this machine lacks what Debian calls: $packages"
        say "install them by your system's own means, then repeat your command; nothing was changed"
        exit 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        sudo=(sudo -n)
        if ! sudo -n true 2>/dev/null; then
            say "this machine lacks: $packages"
            say "run this once$where, then repeat your command; nothing was changed:"
            printf '\n    %sapt-get update && %sapt-get install -y --no-install-recommends %s\n\n' \
                "$as_root" "$as_root" "$packages" >&2
            exit 1
        fi
    fi
    say "installing system packages: $packages"
    "${sudo[@]}" apt-get -qq update || say "the package lists could not all be refreshed; going on"
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends "$@" >/dev/null
}

prepare_system() {
    local python="$1"
    local -a packages
    mapfile -t packages < <(missing_packages "$python")
    [ "${#packages[@]}" -gt 0 ] || return 0
    install_packages "${packages[@]}"
    mapfile -t packages < <(missing_packages "$python")
    [ "${#packages[@]}" -gt 0 ] || return 0
    say "still not working after the installation: ${packages[*]}; see docs/cli.md, doctor"
    exit 1
}

make_venv() {
    local python="$1"
    ! venv_serves "$python" || return 0
    say "making $VENV with Python $(version_of "$python")"
    "$python" -m venv --clear "$VENV"
}

install_python_packages() {
    local pip=("$VENV/bin/python" -m pip install -qq -c constraints.txt)
    local what=. long="a minute or two"
    [ "$WANT" = run ] || { what=".[$WANT]" && long="minutes: torch is large"; }
    say "installing Python packages into $VENV ($long)"
    "${pip[@]}" setuptools
    "${pip[@]}" --no-build-isolation -e "$what"
}

main() {
    local python
    case "$WANT" in run | train | dev) ;; *) say "set-up is 'run', 'train' or 'dev', not '$WANT'" && exit 2 ;; esac
    is_ready && return
    if ! python="$(find_python)"; then
        say "Python 3.11 or newer is needed${ASKED:+, and $ASKED is not one}; nothing was changed"
        say "install one (Debian 12, Ubuntu 24.04: sudo apt-get install python3), or name it: make ... PYTHON=/path"
        exit 1
    fi
    prepare_system "$python"
    rm -f "$VENV"/ready-*
    make_venv "$python"
    install_python_packages
    key >"$VENV/ready-$WANT"
}

main

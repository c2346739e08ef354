#!/usr/bin/env bash
# Installs Slurm from Debian's packages, for the tests that start one of their own (tests/slurm.py). Nothing is
# started or configured. Where it cannot be installed this says why and is done: those tests then skip.
set -euo pipefail

readonly PACKAGES=(slurmctld slurmd slurm-client munge)
readonly POLICY=/usr/sbin/policy-rc.d
export PATH="$PATH:/usr/sbin:/sbin" DEBIAN_FRONTEND=noninteractive

say() { printf 'scan2k: %s\n' "$*" >&2; }

is_there() {
    local program
    for program in munged slurmctld slurmd sbatch; do
        command -v "$program" >/dev/null || return 1
    done
}

install_slurm() {
    local said
    local -a apt=(apt-get -qq -o Dpkg::Use-Pty=0)
    if [ ! -e "$POLICY" ]; then # no service starts by itself, where there is a systemd
        trap 'rm -f "$POLICY"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$POLICY"
        chmod +x "$POLICY"
    fi
    "${apt[@]}" update >/dev/null || say "the package lists could not all be refreshed; going on"
    said="$("${apt[@]}" install -y --no-install-recommends "${PACKAGES[@]}" 2>&1)" || {
        tail -n 3 <<<"$said" >&2
        return 1
    }
}

if is_there; then
    exit 0
elif [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    say "Slurm is not here, and takes root and apt-get to install: its tests will skip"
else
    say "installing system packages: ${PACKAGES[*]}"
    install_slurm || say "Slurm could not be installed: its tests will skip"
fi

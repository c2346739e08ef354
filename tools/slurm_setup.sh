#!/usr/bin/env bash
# Installs Slurm from Debian's packages, for the tests that start one of their own (tests/slurm.py). Nothing is
# started and nothing configured. Where it cannot be installed this says why and is done: those tests then skip.
set -euo pipefail

say() { printf 'scan2k: %s\n' "$*" >&2; }

PATH="$PATH:/usr/sbin:/sbin"
readonly PROGRAMS=(munged slurmctld slurmd sbatch)
readonly PACKAGES=(slurmctld slurmd slurm-client munge)

is_there() {
    command -v "${PROGRAMS[@]}" >/dev/null && [ "$(command -v "${PROGRAMS[@]}" | wc -l)" -eq "${#PROGRAMS[@]}" ]
}

install_slurm() {
    export DEBIAN_FRONTEND=noninteractive
    local -a apt=(apt-get -qq -o Dpkg::Use-Pty=0 -o Acquire::Retries=2)
    # No service may start by itself, also where systemd would: 101 forbids it.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod +x /usr/sbin/policy-rc.d
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    "${apt[@]}" update >/dev/null 2>&1 || true
    "${apt[@]}" install -y --no-install-recommends "${PACKAGES[@]}" >/dev/null 2>&1
}

if is_there; then
    exit 0
elif [ "$(id -u)" -ne 0 ]; then
    say "no Slurm, and only root can install it: its tests will be skipped"
elif ! command -v apt-get >/dev/null; then
    say "no Slurm, and no apt-get to install it with: its tests will be skipped"
else
    say "installing ${PACKAGES[*]}"
    install_slurm || say "Slurm could not be installed: its tests will be skipped"
fi

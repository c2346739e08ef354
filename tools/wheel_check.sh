#!/usr/bin/env bash
# Proves that a wheel is whole: built from the checkout's files, installed into an empty environment elsewhere,
# it renders a small demo there. Called by `make wheel-check`, which has made .venv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

elsewhere="$(mktemp -d)"
trap 'rm -rf "$elsewhere"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1

mkdir "$elsewhere/source"
git ls-files --cached --others --exclude-standard -z | tar --create --null --files-from=- | tar --extract -C "$elsewhere/source"
.venv/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$elsewhere" "$elsewhere/source"
rm -rf "$elsewhere/source"

.venv/bin/python -m venv "$elsewhere/venv"
"$elsewhere/venv/bin/python" -m pip install -qq -c constraints.txt "$elsewhere"/scan2k-*.whl

cd "$elsewhere"
venv/bin/scan2k render demo --data data --people 1 --vertices 20000 --size 256 --yaws=-30,0
drawn="$(find data/PERS -name '*.png' | wc -l)"
if [ "$drawn" -ne 10 ]; then
    echo "scan2k: the wheel drew $drawn images, not 10" >&2
    exit 1
fi
echo "the wheel renders"

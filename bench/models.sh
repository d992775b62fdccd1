#!/bin/sh
# Writes the benchmark's networks (bench/models.py) to build/bench-models, in a Python environment with
# PyTorch that is made once (build/torch-venv).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=$here/../build/torch-venv
ca=/etc/ssl/certs/ca-certificates.crt
[ -n "${PIP_CERT:-}" ] || ! [ -e $ca ] || export PIP_CERT=$ca

if ! [ -e "$venv/ready" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check -r "$here/../models/super_resolution/requirements.txt"
    touch "$venv/ready"
fi
exec "$venv/bin/python" "$here/models.py" "$@"

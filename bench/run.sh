#!/bin/sh
# Makes the benchmark's Python environment once (build/bench-venv) and runs bench/run.py in it.
#   run.sh PROGRAM [OPTIONS OF run.py]
# Needs python3 with venv, and pip's registry the first time.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=$here/../build/bench-venv

# pip trusts the system's certificates, like every other program here
ca=/etc/ssl/certs/ca-certificates.crt
[ -n "${PIP_CERT:-}" ] || ! [ -e $ca ] || export PIP_CERT=$ca

if ! [ -e "$venv/ready" ] || [ "$here/requirements.txt" -nt "$venv/ready" ] || [ "$here/peers.txt" -nt "$venv/ready" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt"
    # shellcheck disable=SC2086 # a line may hold options
    grep -v '^#' "$here/peers.txt" | while read -r peer; do
        "$venv/bin/pip" install -q --disable-pip-version-check -c "$here/requirements.txt" $peer || echo "bench: pip has no $peer" >&2
    done
    touch "$venv/ready"
fi
PATH=$venv/bin:$PATH exec "$venv/bin/python" "$here/run.py" "$@"

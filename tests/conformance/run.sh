#!/bin/sh
# Fetches the conformance suite once (into build/) and runs it.
#   run.sh PROGRAM newest|all [OPTIONS OF onnxrun test]
# Needs python3 with venv, and pip's registry the first time.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$here/../../build
program=$1 which=$2
shift 2

# pip trusts the system's certificates, like every other program here
ca=/etc/ssl/certs/ca-certificates.crt
[ -n "${PIP_CERT:-}" ] || ! [ -e $ca ] || export PIP_CERT=$ca

venv=$build/venv
if ! [ -e "$venv/ready" ] || [ "$here/requirements.txt" -nt "$venv/ready" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt"
    touch "$venv/ready"
fi
tree=$build/conformance-$which
newest=
[ "$which" = newest ] && newest=--newest
if ! [ -e "$tree/ready" ] || [ "$here/cases.tsv" -nt "$tree/ready" ]; then
    rm -rf "$tree"
    "$venv/bin/python" "$here/fetch.py" "$tree" $newest
    touch "$tree/ready"
fi
"$venv/bin/python" "$here/run.py" "$program" "$tree" $newest -- "$@"

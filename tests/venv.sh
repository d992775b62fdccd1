#!/bin/sh
# Prints the python of build/venv, in which the packages of the given requirement files are installed.
#   venv.sh REQUIREMENTS.txt ...       needs python3 with venv, and pip's registry the first time
set -eu
venv=$(cd "$(dirname "$0")/.." && pwd)/build/venv

# pip trusts the system's certificates, like every other program here
ca=/etc/ssl/certs/ca-certificates.crt
[ -n "${PIP_CERT:-}" ] || ! [ -e $ca ] || export PIP_CERT=$ca

[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
for file; do
    mark=$venv/ready-$(cksum < "$file" | tr ' ' -)
    [ -e "$mark" ] && continue
    "$venv/bin/pip" install -q --disable-pip-version-check -r "$file" >&2
    touch "$mark"
done
echo "$venv/bin/python"

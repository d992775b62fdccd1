#!/bin/sh
# Fetches the conformance suite once (into build/) and runs it.
#   run.sh PROGRAM newest|all [OPTIONS OF onnxrun test]
# Needs python3 with venv, and pip's registry the first time.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$here/../../build
program=$1 which=$2
shift 2

python=$("$here/../venv.sh" "$here/requirements.txt")
tree=$build/conformance-$which
newest=
[ "$which" = newest ] && newest=--newest
if ! [ -e "$tree/ready" ] || [ "$here/cases.tsv" -nt "$tree/ready" ]; then
    rm -rf "$tree"
    "$python" "$here/fetch.py" "$tree" $newest
    touch "$tree/ready"
fi
"$python" "$here/run.py" "$program" "$tree" $newest -- "$@"

#!/bin/sh
# Known conversion mistakes and honest pairs:  run.sh PROGRAM quick|all [OPTIONS OF run.py]
# "all" has ONNX Runtime compute the references, takes the networks of ../shared/models where that folder
# lies beside the project and those of build/bench-models where `make bench-models` has written them,
# remembers what it has done in build/faults and writes docs/faults.md.
# PYTHON names a python that has the packages already.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$here/../..
program=$1 which=$2
shift 2
if [ "$which" = quick ]; then
    set -- --quick "$@"
    python=${PYTHON:-$("$here/../venv.sh" "$here/../conformance/requirements.txt")}
else
    for models in "$top/../shared/models" "$top/build/bench-models"; do
        [ -d "$models" ] && set -- --models "$models" "$@"
    done
    set -- --state "$top/build/faults" --table "$top/docs/faults.md" "$@"
    python=${PYTHON:-$("$here/../venv.sh" "$here/../conformance/requirements.txt" "$here/requirements.txt")}
fi
exec "$python" "$here/run.py" "$program" "$@"

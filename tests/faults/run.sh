#!/bin/sh
# Known conversion mistakes and honest pairs:  run.sh PROGRAM quick|all [OPTIONS OF run.py]
# "all" has ONNX Runtime compute the references, and takes the networks of ../shared/models where that
# folder lies beside the project.  PYTHON names a python that has the packages already.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=$1 which=$2
shift 2
shared=$here/../../../shared/models
if [ "$which" = quick ]; then
    set -- --quick "$@"
    python=${PYTHON:-$("$here/../venv.sh" "$here/../conformance/requirements.txt")}
else
    [ -d "$shared" ] && set -- --models "$shared" "$@"
    python=${PYTHON:-$("$here/../venv.sh" "$here/../conformance/requirements.txt" "$here/requirements.txt")}
fi
exec "$python" "$here/run.py" "$program" "$@"

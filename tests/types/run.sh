#!/bin/sh
# One-node models for every operator, version and combination of types: run.sh PROGRAM [OPTIONS OF run.py]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-$("$here/../venv.sh" "$here/../conformance/requirements.txt")}
PYTHONDONTWRITEBYTECODE=1 exec "$python" "$here/run.py" "$@"

#!/bin/sh
# Sorts kernels/ops.def in place: by name, then by version as a number; each line once.
# With --check: only says whether it is sorted.
cd "$(dirname "$0")/../.." || exit 2
sorted=$(mktemp) || exit 2
trap 'rm -f "$sorted"' EXIT
grep -v '^OP(' kernels/ops.def > "$sorted"
grep '^OP(' kernels/ops.def | LC_ALL=C sed 's/^OP(\([^,]*\), *\([0-9]*\)).*/\1 \2/' |
    LC_ALL=C sort -u -k1,1 -k2,2n | sed 's/\(.*\) \(.*\)/OP(\1, \2)/' >> "$sorted"
if [ "$1" = --check ]; then
    cmp -s "$sorted" kernels/ops.def
elif ! cmp -s "$sorted" kernels/ops.def; then
    cat "$sorted" > kernels/ops.def
fi

#!/bin/sh
# Runs the command-line tests: tests/cli/<case>.sh with what it must print (<case>.out.glob: stdout and
# stderr together, "*" standing for anything and a line "..." for any lines) and its exit status (<case>.exit,
# default 0).  Then tests/bad: each model must end in one line on stderr, status 2 and no output file.
# Usage: run.sh [-u] PROGRAM [CASE ...]      -u: write what came out as the new expectation
update=
[ "$1" = -u ] && update=1 && shift
here=$(cd "$(dirname "$0")" && pwd)
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
mkdir "$tmp/bin"
printf '#!/bin/sh\nexec %s "$@"\n' "'$program'" > "$tmp/bin/onnxrun"
chmod +x "$tmp/bin/onnxrun"
PATH=$tmp/bin:$PATH
root=$here/../..
export PATH root
passed=0 failed=0

# match OUTPUT GLOB: complains about the first line that does not fit.  In GLOB '*' stands for any
# characters and a line "..." for any lines; all else is literal.
match()
{
    awk '
    NR == FNR { out[++n] = $0; next }
    { glob[++k] = $0 }
    function regex(s) { gsub(/[][\\^$.|?+(){}]/, "\\\\&", s); gsub(/[*]/, ".*", s); return "^" s "$" }
    END {
        at = 1
        for (i = 1; i <= k; i++) {
            if (glob[i] == "...") { skip = 1; continue }
            re = regex(glob[i])
            while (skip && at <= n && out[at] !~ re) at++
            if (at > n) { print "  nothing left for: " glob[i]; exit }
            if (out[at] !~ re) { print "  expected: " glob[i] "\n  found:    " out[at]; exit }
            at++; skip = 0
        }
        if (!skip && at <= n) print "  not expected: " out[at]
    }' "$1" "$2"
}

report()
{
    if [ -z "$2" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'cli: %s\n%s\n' "$1" "$2"
    fi
}

one_case()
{
    case=$here/$1
    dir=$tmp/$1
    mkdir "$dir" && ln -s "$here/data" "$dir/data" && ln -s "$root/tests/bad" "$dir/bad"
    (cd "$dir" && LC_ALL=C sh "$case.sh" > "$tmp/out" 2>&1 < /dev/null)
    status=$?
    if [ -n "$update" ]; then
        cp "$tmp/out" "$case.out.glob"
        [ $status -eq 0 ] || echo $status > "$case.exit"
    fi
    want=0
    [ -f "$case.exit" ] && want=$(cat "$case.exit")
    [ "$status" = "$want" ] || { echo "  exit status $status, expected $want"; cat "$tmp/out"; }
    match "$tmp/out" "$case.out.glob"
    chmod -R u+w "$dir"
    rm -rf "$dir"
}

bad_model()
{
    dir=$tmp/bad
    rm -rf "$dir"
    mkdir "$dir"
    # shellcheck disable=SC2086 # arguments are words
    (cd "$dir" && onnxrun "$root/tests/bad/$1" --random -o out.npz $2 > stdout 2> stderr < /dev/null)
    status=$?
    [ $status -eq 2 ] || echo "  exit status $status, expected 2"
    [ "$(wc -l < "$dir/stderr")" -eq 1 ] || { echo "  not one line:"; cat "$dir/stderr"; }
    grep -qF -- "$3" "$dir/stderr" || { echo "  expected: $3"; cat "$dir/stderr"; }
    rm "$dir/stderr"
    [ -s "$dir/stdout" ] && echo "  something on stdout"
    rm "$dir/stdout"
    rmdir "$dir" 2> /dev/null || { echo "  files are left:"; ls -a "$dir"; }
}

if [ $# -gt 0 ]; then
    for c in "$@"; do report "$c" "$(one_case "$c")"; done
else
    for s in "$here"/*.sh; do
        c=$(basename "$s" .sh)
        [ "$c" = run ] || report "$c" "$(one_case "$c")"
    done
    tab=$(printf '\t')
    while IFS= read -r row; do
        case $row in '#'* | '') continue ;; esac
        name=${row%%"$tab"*} rest=${row#*"$tab"}
        report "bad/$name" "$(bad_model "$name" "${rest%%"$tab"*}" "${rest#*"$tab"}")"
    done < "$root/tests/bad/expected.tsv"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

# awk -f layers.awk layers.txt FILE...: reports every #include "x" that layers.txt does not allow.
function pattern(p) { gsub(/[.]/, "[.]", p); gsub(/[*]/, "[^/]*", p); return "^" p }
NR == FNR { if ($0 !~ /^#/ && NF) { who[++n] = pattern($1); may[n] = $0; sub(/^[^ ]+/, "", may[n]) } next }
FNR == 1 {
    rule = 0; own = FILENAME; sub(/[^\/]*$/, "", own)
    for (i = 1; i <= n; i++) if (FILENAME ~ who[i]) rule = i
    if (!rule) { print FILENAME ": layers.txt has no line for it"; bad++ }
}
rule && /^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, part, "\""); ok = own != "" && index(part[2], own) == 1
    k = split(may[rule], allowed, " ")
    for (i = 1; i <= k; i++) if (index(part[2], allowed[i]) == 1) ok = 1
    if (!ok) { print FILENAME ":" FNR ": " own " may not include " part[2]; bad++ }
}
END { exit bad > 0 }

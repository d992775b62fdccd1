# every option is in the manual, and in the manual under no other spelling
onnxrun --list-options | sort -u > options
for o in $(cat options); do
    grep -q -- "$(echo "$o" | sed 's/-/\\\\-/g')" "$root/docs/onnxrun.1" || echo "not in the manual: $o"
done
grep -oE '\\-\\-[a-z]+(\\-[a-z]+)*' "$root/docs/onnxrun.1" | sed 's/\\//g' | sort -u > manual
grep -vxF -f options manual | grep -vx -e --version
:

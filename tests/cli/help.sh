onnxrun --help
for c in run check trace reduce diff bench info lint test ops dump; do
    onnxrun $c --help | sed -n '1p;/^examples/,$p'
done

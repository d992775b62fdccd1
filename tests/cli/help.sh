onnxrun --help
for c in run check diff bench info test ops dump; do
    onnxrun $c --help | sed -n '1p;/^examples/,$p'
done

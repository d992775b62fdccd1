onnxrun dump bad/unknown_operators.onnx --stage load
for s in load infer opt plan; do
    echo "== $s"
    onnxrun dump data/chain.onnx --stage $s
done
onnxrun dump data/chain.onnx --stage none

for s in load infer opt plan; do
    echo "== $s"
    onnxrun dump data/chain.onnx --stage $s
done
onnxrun dump data/chain.onnx --stage none

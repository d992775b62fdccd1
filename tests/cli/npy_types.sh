for t in bf16 i4 text ids; do
    onnxrun data/$t.onnx data/$t.npy -o $t.npy
    onnxrun check data/$t.onnx data/$t.npy --expect data/$t.npy
done
cmp bf16.npy data/bf16.npy
cmp text.npy data/text.npy

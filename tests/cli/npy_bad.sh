for f in object structured dates cut long cut_header empty noise huge nothing; do
    onnxrun data/chain.onnx data/$f.npy -o out.npy || echo $?
done
onnxrun data/chain.onnx data/chain.onnx
onnxrun data/chain.onnx x=data
ls

for f in plain fortran big_endian; do
    onnxrun data/fixed.onnx data/$f.npy -o $f.npy
    cmp $f.npy data/plain.npy
done

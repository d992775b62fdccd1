onnxrun data/add.onnx data/a.npy data/b.npy
onnxrun run data/add.onnx b=data/b.npy data/a.npy -o out.npy
onnxrun diff out.npy data/sum.npy
ls

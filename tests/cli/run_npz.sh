onnxrun data/add.onnx data/ab.npz -o out.npz
onnxrun data/add.onnx data/ab_deflated.npz -o folder/
onnxrun diff out.npz folder
ls folder

onnxrun check data/add.onnx data/ab.npz --expect data/near.npy

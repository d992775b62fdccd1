onnxrun check data/add.onnx data/ab.npz --expect data/near.npy --rtol 1e-6 --atol 0

onnxrun data/dynamic.onnx --random -o a.npy
onnxrun data/dynamic.onnx --random 0 -o b.npy
cmp a.npy b.npy
onnxrun data/dynamic.onnx --random 7 --dim batch=2 --dim height=5 --dim image:3=4
onnxrun data/dynamic.onnx --random --dim depth=5
onnxrun data/dynamic.onnx --random --dim height=-1
onnxrun data/dynamic.onnx --random --dim height=99999999999999

onnxrun data/dynamic.onnx --random --dim height=1000 --dim image:3=1000 --max-memory 1M -o out.npy
s=$?
ls
exit $s

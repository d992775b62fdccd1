# text, JSON, exit status, what info shows
onnxrun lint data/add.onnx
onnxrun lint data/lint/training-batchnorm.fires.onnx; echo "status $?"
onnxrun lint --strict data/lint/training-batchnorm.fires.onnx > /dev/null; echo "status $?"
onnxrun lint --strict data/lint/auto-pad.fires.onnx; echo "status $?"
onnxrun lint --json data/lint/quant-scale.fires.onnx
onnxrun info --json data/lint/quant-scale.fires.onnx | grep -o '"findings":.*'
onnxrun info data/lint/quant-scale.fires.onnx | tail -2
onnxrun lint data/none.onnx; echo "status $?"
onnxrun lint; echo "status $?"

onnxrun diff data/a.npy data/x2.npy
onnxrun diff data/x2.npy data/x2_f64.npy
onnxrun diff data/ab.npz data/abc.npz
onnxrun diff data/abc.npz data/ab.npz
onnxrun diff data/a.npy data/ab.npz
onnxrun diff data/a.npy data/gone.npy
onnxrun diff data/i4.npy data/i4.npy --dtype i4
onnxrun diff data/text.npy data/ids.npy
onnxrun diff data/cases/case_good/test_data_set_0 data/cases/case_wrong/test_data_set_0

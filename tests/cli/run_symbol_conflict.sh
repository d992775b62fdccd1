python3 - <<'P'
h = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }".ljust(117) + b"\n"
open("c.npy", "wb").write(b"\x93NUMPY\x01\x00\x76\x00" + h + bytes(8))
P
onnxrun data/add.onnx data/a.npy c.npy

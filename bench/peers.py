#!/usr/bin/env python3
"""One measurement of one runtime in a process of its own: peers.py JOB, a JSON object, prints another.

JOB: runtime, model, inputs (files in the order of the graph's inputs), threads, seconds, warmup, cache (a
folder for converted models), outputs (an .npz to write, or null).  The answer: version, load_ms,
first_ms, p50_ms, runs, memory (the most bytes above what the process held just before the model was loaded), or error.
"""
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np


def read(path):
    if path.endswith(".npy"):
        return np.load(path)
    import onnx

    return onnx.numpy_helper.to_array(onnx.TensorProto.FromString(Path(path).read_bytes()))


def names_of(model):
    """Names of the graph's inputs without initializer, and of its outputs, from the file."""
    import onnx

    graph = onnx.load(model, load_external_data=False).graph
    held = {t.name for t in graph.initializer}
    return [v.name for v in graph.input if v.name not in held], [v.name for v in graph.output]


def describe(model, arrays):
    """In a process of its own: the weights that it reads must not be memory that the runtime then finds free."""
    done = subprocess.run([sys.executable, __file__, "--names", model], capture_output=True, text=True)
    if done.returncode:
        raise ValueError((done.stderr.strip() or "the names of inputs and outputs cannot be read").splitlines()[-1])
    names, outputs = json.loads(done.stdout)
    if len(names) != len(arrays):
        raise ValueError(f"{len(arrays)} input files for {len(names)} inputs")
    return dict(zip(names, arrays)), outputs


class OnnxRuntime:
    def __init__(self, job, feeds, outputs):
        import onnxruntime

        self.version = onnxruntime.__version__
        self.feeds = feeds
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = job["threads"]
        self.options.inter_op_num_threads = 1
        self.options.log_severity_level = 4
        self.create = onnxruntime.InferenceSession

    def load(self, job):
        self.session = self.create(job["model"], self.options, providers=["CPUExecutionProvider"])

    def run(self):
        self.results = self.session.run(None, self.feeds)

    def outputs(self):
        return self.results


class OpenVino:
    """In float32: the default may be bfloat16, which is another computation."""

    def __init__(self, job, feeds, outputs):
        import openvino

        self.version = openvino.__version__.split("-")[0]
        self.feeds, self.ov = feeds, openvino
        self.core = openvino.Core()

    def load(self, job):
        model = self.core.read_model(job["model"])
        if any(p.partial_shape.is_dynamic for p in model.inputs):
            model.reshape({name: list(a.shape) for name, a in self.feeds.items()})
        self.compiled = self.core.compile_model(model, "CPU", {
            "INFERENCE_NUM_THREADS": job["threads"], "NUM_STREAMS": "1", "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32"})
        self.request = self.compiled.create_infer_request()
        for name, a in self.feeds.items():
            self.request.set_tensor(name, self.ov.Tensor(np.ascontiguousarray(a)))

    def run(self):
        self.request.infer()

    def outputs(self):
        return [self.request.get_output_tensor(i).data for i in range(len(self.compiled.outputs))]


def converted(job, suffix, command):
    """The model converted once, by a command that is given where to write."""
    folder = Path(job["cache"])
    path = folder / f"model{suffix}"
    failed = folder / f"failed{suffix}"
    if failed.exists():
        raise ValueError(failed.read_text())
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(command(path), cwd=folder, capture_output=True, text=True, timeout=300)
        if done.returncode or not path.exists():
            failed.write_text(f"{suffix}: the converter fails")
            raise ValueError(failed.read_text())
    return path


class Ncnn:
    """By pnnx; ncnn has no batch, so models of one picture only."""

    def __init__(self, job, feeds, outputs):
        import ncnn

        self.version, self.ncnn = ncnn.__version__, ncnn
        (image,) = feeds.values()
        if image.dtype != np.float32 or image.ndim != 4 or image.shape[0] != 1:
            raise ValueError("not one picture of float32")
        self.image = np.ascontiguousarray(image[0])
        shape = "[" + ",".join(map(str, image.shape)) + "]"
        link = Path(job["cache"]) / "source.onnx"
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(Path(job["model"]).resolve())
        converted(job, ".ncnn.param", lambda to: [
            "pnnx", str(link), f"inputshape={shape}", f"ncnnparam={to}", f"ncnnbin={to.with_suffix('.bin')}", "fp16=0"])
        self.n_out = len(outputs)

    def load(self, job):
        self.net = self.ncnn.Net()
        o = self.net.opt
        o.num_threads = job["threads"]
        o.use_fp16_packed = o.use_fp16_storage = o.use_fp16_arithmetic = o.use_bf16_storage = False
        path = Path(job["cache"]) / "model.ncnn.param"
        if self.net.load_param(str(path)) or self.net.load_model(str(path.with_suffix(".bin"))):
            raise ValueError("ncnn cannot load what pnnx wrote")

    def run(self):
        extractor = self.net.create_extractor()
        extractor.input("in0", self.ncnn.Mat(self.image))
        self.results = []
        for i in range(self.n_out):
            code, mat = extractor.extract(f"out{i}")
            if code:
                raise ValueError(f"ncnn gives no out{i}")
            self.results.append(mat)

    def outputs(self):
        return [np.array(m) for m in self.results]


class Mnn:
    def __init__(self, job, feeds, outputs):
        import MNN

        self.version = MNN.version() if hasattr(MNN, "version") else "?"
        self.mnn, self.feeds, self.names = MNN, feeds, outputs
        if any(a.dtype not in (np.float32, np.int32) for a in feeds.values()):
            raise ValueError("an input is neither float32 nor int32")
        # the command `mnnconvert` installs a package and sends reports; what it wraps does not
        self.path = converted(job, ".mnn", lambda to: [
            sys.executable, "-c", "import sys, _tools; _tools.mnnconvert(sys.argv)", "-f", "ONNX", "--modelFile",
            job["model"], "--MNNModel", str(to), "--bizCode", "bench"])

    def load(self, job):
        MNN = self.mnn
        self.net = MNN.Interpreter(str(self.path))
        self.session = self.net.createSession({"backend": "CPU", "numThread": job["threads"], "precision": "high"})
        for name, a in self.feeds.items():
            tensor = self.net.getSessionInput(self.session, name)
            self.net.resizeTensor(tensor, tuple(a.shape))
        self.net.resizeSession(self.session)
        kinds = {np.dtype(np.float32): MNN.Halide_Type_Float, np.dtype(np.int32): MNN.Halide_Type_Int}
        for name, a in self.feeds.items():
            data = np.ascontiguousarray(a)
            host = MNN.Tensor(tuple(a.shape), kinds[a.dtype], data, MNN.Tensor_DimensionType_Caffe)
            self.net.getSessionInput(self.session, name).copyFrom(host)

    def run(self):
        if self.net.runSession(self.session) not in (0, None):
            raise ValueError("runSession fails")

    def outputs(self):
        MNN, results = self.mnn, []
        for name in self.names:
            tensor = self.net.getSessionOutput(self.session, name)
            shape = tuple(tensor.getShape())
            host = MNN.Tensor(shape, tensor.getDataType(), np.zeros(shape, np.float32), MNN.Tensor_DimensionType_Caffe)
            tensor.copyToHostTensor(host)
            results.append(np.array(host.getNumpyData()).reshape(shape))
        return results


RUNTIMES = {"ONNX Runtime": OnnxRuntime, "OpenVINO": OpenVino, "ncnn": Ncnn, "MNN": Mnn}


def held_bytes(what):
    """VmRSS: now; VmHWM: at most since forget_peak (not getrusage's, which starts with what the parent held)."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(what + r":\s*(\d+)", status)[1]) * 1024


def forget_peak():
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # an old kernel: the peak is then that of the whole process, imports included
        pass


def measure(job):
    feeds, names = describe(job["model"], [read(p) for p in job["inputs"]])
    runtime = RUNTIMES[job["runtime"]](job, feeds, names)
    forget_peak()
    before = held_bytes("VmRSS")
    start = time.perf_counter()
    runtime.load(job)
    load = time.perf_counter() - start
    start = time.perf_counter()
    runtime.run()
    first = time.perf_counter() - start
    for _ in range(job["warmup"]):
        runtime.run()
    times, end = [], time.perf_counter() + job["seconds"]
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        runtime.run()
        times.append(time.perf_counter() - start)
    answer = {"version": runtime.version, "load_ms": load * 1e3, "first_ms": first * 1e3, "runs": len(times),
              "p50_ms": statistics.median(times) * 1e3, "memory": held_bytes("VmHWM") - before}
    if job["outputs"]:
        arrays = [np.asarray(a) for a in runtime.outputs() if not isinstance(a, list)]
        np.savez(job["outputs"], *[a for a in arrays if a.dtype != object])
    return answer


def main():
    if sys.argv[1] == "--names":
        return print(json.dumps(names_of(sys.argv[2])))
    answer_to = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print: that is not the answer
    try:
        answer = measure(json.loads(sys.argv[1]))
    except Exception as error:  # whatever a peer raises is its result
        answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
    answer_to.write(json.dumps(answer) + "\n")
    answer_to.flush()
    os._exit(0)  # some runtimes crash while they are taken down


if __name__ == "__main__":
    main()

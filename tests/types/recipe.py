"""What a recipe has to work with: typed inputs, the reference evaluator in double, and writing a case.

A recipe is a function of one `Triple`; it makes inputs of the triple's types and calls `emit` with what an
independent definition (numpy, in double) expects, or `reference`, which asks ONNX's reference evaluator, on
double inputs.  Expected values are rounded once to the output's type.
"""
import json
import os
import zlib

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

NUMPY = {
    "float": np.float32, "double": np.float64, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16,
    "int8": np.int8, "int16": np.int16, "int32": np.int32, "int64": np.int64, "uint8": np.uint8,
    "uint16": np.uint16, "uint32": np.uint32, "uint64": np.uint64, "bool": np.bool_, "string": np.object_,
    "complex64": np.complex64, "complex128": np.complex128, "float8e4m3fn": ml_dtypes.float8_e4m3fn,
    "float8e4m3fnuz": ml_dtypes.float8_e4m3fnuz, "float8e5m2": ml_dtypes.float8_e5m2,
    "float8e5m2fnuz": ml_dtypes.float8_e5m2fnuz, "float8e8m0": ml_dtypes.float8_e8m0fnu,
    "float6e2m3": ml_dtypes.float6_e2m3fn, "float6e3m2": ml_dtypes.float6_e3m2fn,
    "float4e2m1": ml_dtypes.float4_e2m1fn, "int4": ml_dtypes.int4, "uint4": ml_dtypes.uint4,
    "int2": ml_dtypes.int2, "uint2": ml_dtypes.uint2,
}
NUMBER = {name: getattr(TensorProto, name.upper()) for name in NUMPY}
OF_DTYPE = {np.dtype(t): name for name, t in NUMPY.items()}
ROUNDOFF = {"double": 2.0**-53, "float": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8, "float8e4m3fn": 2.0**-4,
            "float8e4m3fnuz": 2.0**-4, "float8e5m2": 2.0**-3, "float8e5m2fnuz": 2.0**-3, "float6e2m3": 2.0**-4,
            "float6e3m2": 2.0**-3, "float4e2m1": 2.0**-2, "float8e8m0": 2.0**-1, "complex64": 2.0**-24, "complex128": 2.0**-53}
RANGE = {"int2": (-2, 2), "uint2": (0, 4), "int4": (-8, 8), "uint4": (0, 16)}
FLOATS = ("float", "double", "float16", "bfloat16")
RECIPES = {}


def recipe(*names):
    def keep(f):
        for name in names:
            assert name not in RECIPES, name
            RECIPES[name] = f
        return f
    return keep


class Seq(list):
    """A sequence; `kind` is the element type, for empty ones."""
    def __init__(self, items, kind):
        super().__init__(items)
        self.kind = kind


class Opt:
    """An optional of type `text` ("tensor(float)", "seq(tensor(float))") with or without a value."""
    def __init__(self, value, text):
        self.value, self.text = value, text


class Map(dict):
    """A map; `kinds` are the types of keys and values."""
    def __init__(self, items, kinds):
        super().__init__(items)
        self.kinds = kinds


def kind_of(a):
    return OF_DTYPE[np.asarray(a).dtype]


def is_float(kind):
    return kind in ROUNDOFF and not kind.startswith("complex")


def wide(a):
    """Floats as double, the rest as it is."""
    if isinstance(a, Seq):
        return [wide(v) for v in a]
    if a is None or not is_float(kind_of(a)):
        return a
    return np.asarray(a).astype(np.float64)


def type_proto(text):
    inner = text[text.index("(") + 1:-1]
    if text.startswith("tensor"):
        return helper.make_tensor_type_proto(NUMBER[inner], None)
    if text.startswith("seq"):
        return helper.make_sequence_type_proto(type_proto(inner))
    if text.startswith("optional"):
        return helper.make_optional_type_proto(type_proto(inner))
    key, value = inner.split(", ")
    return helper.make_map_type_proto(NUMBER[key], helper.make_tensor_type_proto(NUMBER[value], None))


def type_text(v):
    if isinstance(v, Seq):
        return f"seq({type_text(v[0])})" if v and isinstance(v[0], Map) else f"seq(tensor({v.kind}))"
    if isinstance(v, Opt):
        return f"optional({v.text})"
    if isinstance(v, Map):
        return f"map({v.kinds[0]}, {v.kinds[1]})"
    return f"tensor({kind_of(v)})"


def tensor(a, name=""):
    return numpy_helper.from_array(np.ascontiguousarray(a) if np.ndim(a) else np.asarray(a), name)


def map_proto(m):
    p = onnx.MapProto(key_type=NUMBER[m.kinds[0]])
    text = m.kinds[0] == "string"
    for k in m:
        (p.string_keys if text else p.keys).append(k.encode() if text else k)
    p.values.elem_type = onnx.SequenceProto.TENSOR
    p.values.tensor_values.extend(tensor(np.array(v, NUMPY[m.kinds[1]])) for v in m.values())
    return p


def proto(v):
    if isinstance(v, Seq):
        if v and isinstance(v[0], Map):
            p = onnx.SequenceProto(elem_type=onnx.SequenceProto.MAP)
            p.map_values.extend(map_proto(m) for m in v)
        else:
            p = onnx.SequenceProto(elem_type=onnx.SequenceProto.TENSOR)
            p.tensor_values.extend(tensor(a) for a in v)
        return p
    if isinstance(v, Map):
        return map_proto(v)
    if isinstance(v, Opt):
        p = onnx.OptionalProto()
        sequence = v.text.startswith("seq")
        if v.value is not None:
            (p.sequence_value if sequence else p.tensor_value).CopyFrom(proto(v.value))
        p.elem_type = onnx.OptionalProto.SEQUENCE if sequence else onnx.OptionalProto.TENSOR
        return p
    return tensor(v)


def rounded(a, kind):
    """Rounded once to the type (integers are as they are)."""
    if isinstance(a, Seq):
        return Seq([rounded(v, a.kind) for v in a], a.kind)
    if isinstance(a, (Opt, Map)):
        return a
    a = np.asarray(a)
    return a if kind is None or a.dtype == NUMPY[kind] else a.astype(NUMPY[kind])


class Triple:
    """One (operator, version, types).  `t` maps a type variable to the name within tensor(...), or to the
    whole text where it is no tensor."""
    def __init__(self, schema, types, folder):
        self.schema, self.op, self.version, self.domain = schema, schema.name, schema.since_version, schema.domain
        self.types = types
        self.t = {v: t[7:-1] if t.startswith("tensor(") else t for v, t in types.items()}
        tag = "_".join(types[v].replace("tensor", "").replace("(", "").replace(")", "").replace(", ", "-")
                       for v in sorted(types)) or "fixed"
        self.folder = os.path.join(folder, f"{schema.domain or 'ai.onnx'}.{self.op}-{self.version}", tag)
        self.rng = np.random.default_rng(zlib.crc32(self.folder.encode()[-80:]))
        self.count = 0

    # ---- inputs ----
    def kind(self, which):
        return self.t.get(which, which)

    def array(self, which, *shape):
        """Small values of a type variable or type, most of them different from their neighbours."""
        kind, n = self.kind(which), int(np.prod(shape))
        v = self.rng.integers(0, 100, n)
        if kind == "string":
            a = np.array([["", "a", "bc", "gr\u00fc\u00dfe", "x" * 40][k % 5] for k in v], dtype=object)
        elif kind == "bool":
            a = v % 2 == 1
        elif kind.startswith("complex"):
            a = (v % 7 - 3 + 1j * (v % 5 - 2)).astype(NUMPY[kind])
        elif kind == "float8e8m0":
            a = np.exp2((v % 9 - 4).astype(np.float32)).astype(NUMPY[kind])
        elif kind in RANGE:
            low, high = RANGE[kind]
            a = (v % (high - low) + low).astype(np.int8).astype(NUMPY[kind])
        elif is_float(kind):
            a = ((v % 25 - 12) / 4).astype(np.float32).astype(NUMPY[kind])
        else:
            a = (v - (50 if kind[0] == "i" else 0)).astype(NUMPY[kind])
        return a.reshape(shape)

    def uniform(self, which, *shape, low=-2.0, high=2.0):
        """Random numbers rounded to the type; integers are drawn from the same range."""
        kind = self.kind(which)
        v = self.rng.uniform(low, high, shape)
        if not is_float(kind):
            v = np.floor(v)
            v = np.maximum(v, 0) if kind[0] == "u" else v
        return np.asarray(v).astype(NUMPY[kind])

    def ints(self, which, *values):
        """Given numbers as a 1-D tensor of a type variable or type."""
        return np.array(values, NUMPY[self.kind(which)])

    # ---- outputs ----
    def out_kind(self, i):
        p = self.schema.outputs[min(i, len(self.schema.outputs) - 1)]
        kind = self.kind(p.type_str)
        if kind.startswith("tensor("):
            kind = kind[7:-1]
        return kind if kind in NUMPY else None

    def emit(self, inputs, outputs, tol=4, scale=None, unit=None, weak=False, constants=(), **attributes):
        """One case.  None: absent input, unwanted output.  tol units of roundoff of the output's type (or of
        `unit`) may be lost, relative to the element and to `scale` (the largest output unless given).
        weak: the types of several outputs differ, each is as it comes."""
        self.count += 1
        folder = f"{self.folder}-{self.count}"
        os.makedirs(os.path.join(folder, "test_data_set_0"), exist_ok=True)
        outputs = [None if a is None else rounded(a, None if weak else self.out_kind(i)) for i, a in enumerate(outputs)]
        names = ["" if a is None else f"x{i}" for i, a in enumerate(inputs)]
        wanted = ["" if a is None else f"y{i}" for i, a in enumerate(outputs)]
        node = helper.make_node(self.op, names, wanted, domain=self.domain,
                                **{n: v for n, v in attributes.items() if v is not None})
        fed = [(n, a) for i, (n, a) in enumerate(zip(names, inputs)) if n and i not in constants]
        made = [(n, a) for n, a in zip(wanted, outputs) if n]
        info = lambda n, a: helper.make_value_info(n, type_proto(type_text(a)))
        graph = helper.make_graph([node], "case", [info(*f) for f in fed], [info(*m) for m in made],
                                  [tensor(inputs[i], names[i]) for i in constants])
        self.save(folder, graph, [a for _, a in fed], [a for _, a in made])
        units = [ROUNDOFF[unit or kind_of(a)] for _, a in made if isinstance(a, np.ndarray) and (unit or kind_of(a)) in ROUNDOFF]
        if units:
            if scale is None:
                scale = max((float(np.max(np.abs(wide(a)[np.isfinite(wide(a))]), initial=0)) for _, a in made
                             if isinstance(a, np.ndarray) and is_float(kind_of(a))), default=0)
            with open(os.path.join(folder, "data.json"), "w", encoding="utf-8") as f:
                json.dump({"rtol": tol * max(units), "atol": tol * max(units) * scale}, f)

    def save(self, folder, graph, inputs, outputs):
        imports = [helper.make_opsetid(self.domain, self.version)]
        if self.domain:
            imports.append(helper.make_opsetid("", 25))
        model = helper.make_model(graph, opset_imports=imports)
        v = self.version if not self.domain else 20
        model.ir_version = 4 if v < 9 else 8 if v < 19 else 10 if v < 25 else 13
        onnx.save(model, os.path.join(folder, "model.onnx"))
        for stem, values in (("input", inputs), ("output", outputs)):
            for i, a in enumerate(values):
                with open(os.path.join(folder, "test_data_set_0", f"{stem}_{i}.pb"), "wb") as f:
                    f.write(proto(a).SerializeToString())

    def evaluate(self, inputs, n_out=1, version=None, op=None, **attributes):
        """ONNX's reference evaluator on the inputs, floats as double."""
        values = [wide(a) for a in inputs]
        names = ["" if a is None else f"x{i}" for i, a in enumerate(inputs)]
        node = helper.make_node(op or self.op, names, [f"y{i}" for i in range(n_out)], domain=self.domain,
                                **{n: v for n, v in attributes.items() if v is not None})
        info = lambda n: helper.make_tensor_value_info(n, TensorProto.DOUBLE, None)
        graph = helper.make_graph([node], "case", [info(n) for n in names if n], [info(f"y{i}") for i in range(n_out)])
        imports = [helper.make_opsetid(self.domain, version or self.version)]
        if self.domain:
            imports.append(helper.make_opsetid("", 25))
        with np.errstate(all="ignore"):
            return ReferenceEvaluator(helper.make_model(graph, opset_imports=imports)).run(
                None, {n: v for n, v in zip(names, values) if n})

    def reference(self, inputs, n_out=1, version=None, tol=4, scale=None, unit=None, constants=(), **attributes):
        """emit what the reference evaluator computes; version: of another opset that defines the same."""
        outputs = self.evaluate(inputs, n_out, version, **attributes)
        self.emit(inputs, outputs, tol, scale, unit, constants=constants, **attributes)


def run(schema, types, folder):
    """Writes the cases of a triple; None when done, else why there are none."""
    f = RECIPES.get(schema.name)
    if not f:
        return "no recipe"
    c = Triple(schema, types, folder)
    f(c)
    return None if c.count else "the recipe made no case"

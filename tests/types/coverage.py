"""Which (operator, version, types) triples the cases of a folder run, against all that ONNX allows.

A triple binds every type variable of the schema.  A model without one node in its main graph (or one
Gradient node, which needs others to differentiate), or whose node leaves a variable open, counts for nothing.
"""
import itertools
import os

import onnx
from onnx import TensorProto, defs

NAMES = {number: name.lower() for name, number in TensorProto.DataType.items()}


def type_text(t):
    """A TypeProto as schemas spell it."""
    kind = t.WhichOneof("value")
    if kind == "tensor_type":
        return f"tensor({NAMES[t.tensor_type.elem_type]})"
    if kind == "sequence_type":
        return f"seq({type_text(t.sequence_type.elem_type)})"
    if kind == "optional_type":
        return f"optional({type_text(t.optional_type.elem_type)})"
    if kind == "map_type":
        return f"map({NAMES[t.map_type.key_type]}, {element(type_text(t.map_type.value_type))})"
    return ""


def element(t):
    """tensor(X), seq(X), optional(X) -> X"""
    return t[t.index("(") + 1:-1]


def _map_value(t):
    return element(t).split(", ")[1]


# Combinations of single types that no valid model can have, because the operator ties its types together.
TIED = {
    "BitCast": lambda t: bits(t["T1"]) == bits(t["T2"]),
    "SequenceAt": lambda t: element(t["S"]) == t["T"],
    "SequenceInsert": lambda t: element(t["S"]) == t["T"],
    "SequenceConstruct": lambda t: element(t["S"]) == t["T"],
    "ConcatFromSequence": lambda t: element(t["S"]) == t["T"],
    "SplitToSequence": lambda t: element(t["S"]) == t["T"],
    "Optional": lambda t: element(t["O"]) == t["V"],
    "OptionalGetElement": lambda t: t["O"] == t["V"] or t["O"] == f"optional({t['V']})",
    "CategoryMapper": lambda t: t["T1"] != t["T2"],
    "DictVectorizer": lambda t: _map_value(t["T1"]) == t["T2"],
}


def bits(t):
    name = element(t)
    wide = {"float": 32, "double": 64, "bool": 8, "bfloat16": 16, "complex64": 64, "complex128": 128}
    if name in wide:
        return wide[name]
    for size in ("16", "32", "64", "8", "6", "4", "2"):
        if name.startswith((f"int{size}", f"uint{size}", f"float{size}")):
            return int(size)
    raise ValueError(t)


def possible(schema, types):
    if schema.name == "LabelEncoder" and schema.since_version == 1:
        return types["T1"] != types["T2"]
    return schema.name not in TIED or TIED[schema.name](types)


def key(schema, types):
    domain = schema.domain or "ai.onnx"
    return (domain, schema.name, schema.since_version, " ".join(f"{v}={types[v]}" for v in sorted(types)))


def variables(schema):
    """The type variables that a parameter has (Tile-1 declares one that none has)."""
    used = {p.type_str for p in (*schema.inputs, *schema.outputs)}
    return [c for c in schema.type_constraints if c.type_param_str in used]


def wanted():
    """Every triple that ONNX allows: key -> (schema, {variable: type})."""
    found = {}
    for schema in defs.get_all_schemas_with_history():
        constraints = variables(schema)
        for choice in itertools.product(*(sorted(c.allowed_type_strs) for c in constraints)):
            types = dict(zip((c.type_param_str for c in constraints), choice))
            if possible(schema, types):
                found[key(schema, types)] = (schema, types)
    return found


def _bind(found, params, names, known):
    for i, name in enumerate(names):
        param = params[min(i, len(params) - 1)] if params else None
        if not name or param is None or not known.get(name):
            continue
        if (i >= len(params) - 1 and not param.is_homogeneous) or param.type_str not in found:
            found.setdefault(param.type_str, set()).add(known[name])
        else:
            found[param.type_str].add(known[name])


def triples(model):
    """The keys that a model with one node covers."""
    graph = model.graph
    nodes = graph.node if len(graph.node) == 1 else [n for n in graph.node if n.op_type == "Gradient"]
    if len(nodes) != 1:
        return
    node = nodes[0]
    opset = {o.domain or "ai.onnx": o.version for o in model.opset_import}
    domain = node.domain or "ai.onnx"
    try:
        schema = defs.get_schema(node.op_type, opset[domain], "" if domain == "ai.onnx" else domain)
    except (defs.SchemaError, KeyError):
        return
    known = {v.name: type_text(v.type) for v in (*graph.input, *graph.output)}
    known.update({t.name: f"tensor({NAMES[t.data_type]})" for t in graph.initializer})
    bound = {}
    _bind(bound, schema.inputs, node.input, known)
    _bind(bound, schema.outputs, node.output, known)
    names = [c.type_param_str for c in variables(schema)]
    if any(v not in bound for v in names):
        return
    for choice in itertools.product(*(sorted(bound[v]) for v in names)):
        yield key(schema, dict(zip(names, choice)))


def scan(folder):
    covered = set()
    for base, _, files in os.walk(folder):
        if "model.onnx" in files:
            covered.update(triples(onnx.load(os.path.join(base, "model.onnx"), load_external_data=False)))
    return covered

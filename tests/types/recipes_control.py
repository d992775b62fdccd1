"""Recipes for control flow, sequences and optionals."""
import os

import numpy as np
from onnx import helper

from recipe import NUMBER, NUMPY, Opt, Seq, kind_of, recipe, tensor, type_proto, type_text


def value(c, text):
    """A value of any type that schemas spell."""
    inner = text[text.index("(") + 1:-1]
    if text.startswith("tensor"):
        return c.array(inner, 2, 3)
    if text.startswith("seq"):
        kind = inner[7:-1]
        return Seq([c.array(kind, 2), c.array(kind, 3, 1), c.array(kind)], kind)
    return Opt(value(c, inner), inner)


def info(name, text):
    return helper.make_value_info(name, type_proto(text))


@recipe("Identity")
def identity(c):
    v = value(c, c.types["V" if "V" in c.types else "T"])
    c.emit([v], [v])
    if isinstance(v, Opt):
        none = Opt(None, v.text)
        c.emit([none], [none])


@recipe("If")
def if_(c):
    # A branch gives what is captured from outside: directly, since old Identity has fewer types than If.
    text = c.types["V"]
    a, b = value(c, text), value(c, text)
    for cond in (True, False):
        branch = [helper.make_graph([], name, [], [info(v, text)]) for name, v in (("then", "a"), ("else", "b"))]
        node = helper.make_node("If", ["cond"], ["y"], then_branch=branch[0], else_branch=branch[1])
        graph = helper.make_graph([node], "case", [info("cond", "tensor(bool)"), info("a", text), info("b", text)],
                                  [info("y", text)])
        whole(c, graph, [np.array(cond), a, b], [a if cond else b])


def whole(c, graph, inputs, outputs):
    c.count += 1
    folder = f"{c.folder}-{c.count}"
    os.makedirs(os.path.join(folder, "test_data_set_0"), exist_ok=True)
    c.save(folder, graph, inputs, outputs)


@recipe("Loop")
def loop(c):
    # The state stays as it is; a tensor is also a scan output.
    text, n = c.types["V"], 3
    v = value(c, text)
    scanned = text.startswith("tensor")
    outs = [info("go_on", "tensor(bool)"), info("s", text)] + ([info("s2", text)] if scanned else [])
    nodes = [helper.make_node("Identity", ["go_on_in"], ["go_on"])]
    if scanned:
        nodes.append(helper.make_node("Identity", ["s"], ["s2"]))
    body = helper.make_graph(nodes, "body", [info("i", "tensor(int64)"), info("go_on_in", "tensor(bool)"), info("s", text)], outs)
    node = helper.make_node("Loop", ["m", "go", "v"], ["y", "scan"] if scanned else ["y"], body=body)
    graph = helper.make_graph([node], "case", [info("m", "tensor(int64)"), info("go", "tensor(bool)"), info("v", text)],
                              [info("y", text)] + ([info("scan", text)] if scanned else []))
    whole(c, graph, [np.array(n), np.array(True), v], [v, np.stack([v] * n)] if scanned else [v])


@recipe("Scan")
def scan(c):
    # State: the row before; scan output: state, then row.
    text = c.types["V"]
    x, s = c.array("V", 3, 2), c.array("V", 2)
    body = helper.make_graph([helper.make_node("Identity", ["row"], ["next"]), helper.make_node("Identity", ["state"], ["out"])],
                             "body", [info("state", text), info("row", text)], [info("next", text), info("out", text)])
    y, final = np.concatenate([s[None], x[:2]]), x[2]
    names = ["s", "x"]
    if c.version == 8:  # a batch around, and sequence_lens
        x, s, y, final = (np.stack([a, a]) for a in (x, s, y, final))
        names = ["lens", *names]
    node = helper.make_node("Scan", names, ["final", "y"], body=body, num_scan_inputs=1)
    given = ([info("lens", "tensor(int64)")] if c.version == 8 else []) + [info("s", text), info("x", text)]
    graph = helper.make_graph([node], "case", given, [info("final", text), info("y", text)])
    whole(c, graph, ([np.array([3, 3])] if c.version == 8 else []) + [s, x], [final, y])


@recipe("SequenceMap")
def sequence_map(c):
    # Additional tensors go to every call, additional sequences element by element.
    s, extra = value(c, c.types["S"]), value(c, c.types["V"])
    kind = s.kind
    sequence = isinstance(extra, Seq)
    other = extra.kind if sequence else kind_of(extra)
    elements = ["e", "o"]
    body = helper.make_graph([helper.make_node("Identity", [n], [n + "_out"]) for n in elements], "body",
                             [info("e", f"tensor({kind})"), info("o", f"tensor({other})")],
                             [info("e_out", f"tensor({kind})"), info("o_out", f"tensor({other})")])
    node = helper.make_node("SequenceMap", ["s", "extra"], ["y", "z"], body=body)
    z = extra if sequence else Seq([extra] * len(s), other)
    graph = helper.make_graph([node], "case", [info("s", type_text(s)), info("extra", type_text(extra))],
                              [info("y", type_text(s)), info("z", type_text(z))])
    whole(c, graph, [s, extra], [s, z])


# ---- sequences ----
@recipe("SequenceAt")
def sequence_at(c):
    s = value(c, c.types["S"])
    for i in (0, 2, -2):
        c.emit([s, np.array(i, NUMPY[c.kind("I")])], [s[i]])


@recipe("SequenceConstruct")
def sequence_construct(c):
    s = value(c, c.types["S"])
    c.emit(list(s), [s])


@recipe("SequenceEmpty")
def sequence_empty(c):
    kind = c.types["S"][11:-2]
    c.emit([], [Seq([], kind)], dtype=NUMBER[kind])
    if kind == "float":
        c.emit([], [Seq([], kind)])


@recipe("SequenceErase")
def sequence_erase(c):
    s = value(c, c.types["S"])
    for i in (0, -1):
        c.emit([s, np.array(i, NUMPY[c.kind("I")])], [Seq([v for k, v in enumerate(s) if k != i % 3], s.kind)])
    c.emit([s], [Seq(s[:2], s.kind)])


@recipe("SequenceInsert")
def sequence_insert(c):
    s, x = value(c, c.types["S"]), c.array("T", 2, 2)
    for i in (0, 3, -1):
        at = i % 3 if i < 0 else i
        c.emit([s, x, np.array(i, NUMPY[c.kind("I")])], [Seq([*s[:at], x, *s[at:]], s.kind)])
    c.emit([s, x], [Seq([*s, x], s.kind)])


@recipe("SequenceLength")
def sequence_length(c):
    s = value(c, c.types["S"])
    c.emit([s], [np.array(3)])
    c.emit([Seq([], s.kind)], [np.array(0)])


@recipe("ConcatFromSequence")
def concat_from_sequence(c):
    kind = c.kind("T")
    s = Seq([c.array(kind, 2, 3), c.array(kind, 2, 3)], kind)
    c.emit([s], [np.concatenate(s, 1)], axis=1)
    c.emit([s], [np.stack(s, 2)], axis=-1, new_axis=1)


@recipe("SplitToSequence")
def split_to_sequence(c):
    kind, x = c.kind("T"), c.array("T", 3, 4)
    c.emit([x, c.ints("I", 1, 3)], [Seq([x[:, :1], x[:, 1:]], kind)], axis=1)
    c.emit([x, np.array(2, NUMPY[c.kind("I")])], [Seq([x[:2], x[2:]], kind)])
    c.emit([x], [Seq(list(x), kind)], keepdims=0)


# ---- optionals ----
@recipe("Optional")
def optional(c):
    text = c.types["V"]
    v = value(c, text)
    c.emit([v], [Opt(v, text)])
    c.emit([], [Opt(None, text)], type=type_proto(text))
    # The type attribute names the element; with an input it must agree, and the triple binds V by it.


@recipe("OptionalGetElement")
def optional_get_element(c):
    v = value(c, c.types["V"])
    c.emit([Opt(v, c.types["V"]) if c.types["O"].startswith("optional") else v], [v])


@recipe("OptionalHasElement")
def optional_has_element(c):
    text = c.types["O"]
    v = value(c, text)
    c.emit([v], [np.array(True)])
    if isinstance(v, Opt):
        c.emit([Opt(None, v.text)], [np.array(False)])
    if c.version >= 18:
        c.emit([], [np.array(False)])


# ---- differentiation ----
@recipe("Gradient")
def gradient(c):
    # y = size(z) x^2 for z of any type: dy/dx = 2 size(z) x.
    x, z, own = c.array("T2", 2, 3), value(c, c.types["T1"]), helper.make_node
    nodes = [own("Size", ["z"], ["n"]), own("Cast", ["n"], ["k"], to=NUMBER[c.kind("T2")]), own("Mul", ["x", "x"], ["square"]),
             own("Mul", ["square", "k"], ["y"]), own("Gradient", ["x", "z"], ["d"], domain=c.domain, xs=["x"], zs=["z"], y="y")]
    graph = helper.make_graph(nodes, "case", [info("x", c.types["T2"]), info("z", c.types["T1"])], [info("d", c.types["T2"])])
    whole(c, graph, [x, z], [(2 * z.size * x.astype(np.float64)).astype(x.dtype)])

#!/usr/bin/env python3
"""Test cases for ai.onnx.ml, which ONNX's own suite hardly reaches.

Usage: make_ml.py OUT_FOLDER.  Writes OUT_FOLDER/<case>/{model.onnx,test_data_set_0}.  Expected outputs
are computed here, in numpy, from the text of the specification; where ONNX Runtime is installed and
supports the case, --check says where it disagrees (the known places are listed in DIFFERS).
"""
import math
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto as T, helper as h, numpy_helper as nh

ML = "ai.onnx.ml"
f32, f64, i32, i64 = np.float32, np.float64, np.int32, np.int64
OUT = pathlib.Path(sys.argv[1])
CHECK = "--check" in sys.argv
rng = np.random.default_rng(7)
count, seen = 0, set()

# Where ONNX Runtime does something else than the text or the reference evaluator.
DIFFERS = ("transform_one", "one_score", "single_class", "one_target", "svr_post", "svc_pair", "missing",
           "one_label", "map_to_string", "f64_lists", "linear_rho", "repeated", "LabelEncoder-2_floats")


def type_of(v):
    if isinstance(v, list) and v and isinstance(v[0], dict):
        return h.make_sequence_type_proto(type_of(v[0]))
    if isinstance(v, dict):
        k, e = next(iter(v.items()))
        kt = T.STRING if isinstance(k, str) else T.INT64
        et = T.STRING if isinstance(e, str) else h.np_dtype_to_tensor_dtype(np.asarray(e).dtype)
        return h.make_map_type_proto(kt, h.make_tensor_type_proto(et, None))
    if v.dtype == object:
        return h.make_tensor_type_proto(T.STRING, None)
    return h.make_tensor_type_proto(h.np_dtype_to_tensor_dtype(v.dtype), None)


def map_proto(d):
    m = onnx.MapProto()
    text = isinstance(next(iter(d)), str)
    m.key_type = T.STRING if text else T.INT64
    for k in d:
        (m.string_keys if text else m.keys).append(k.encode() if text else k)
    m.values.elem_type = onnx.SequenceProto.TENSOR
    for v in d.values():
        a = np.asarray(v, object) if isinstance(v, str) else np.asarray(v)
        m.values.tensor_values.append(nh.from_array(a))
    return m


def proto_of(v):
    if isinstance(v, list):
        s = onnx.SequenceProto(elem_type=onnx.SequenceProto.MAP)
        s.map_values.extend(map_proto(d) for d in v)
        return s
    return map_proto(v) if isinstance(v, dict) else nh.from_array(v)


def check(name, model, inputs, outputs):
    import onnxruntime as ort
    ort.set_default_logger_severity(4)
    try:
        got = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(
            None, {f"x{i}": v for i, v in enumerate(inputs)})
    except Exception as e:
        print(f"{name}: not run: {str(e)[-100:]!r}")
        return
    for g, w in zip(got, outputs):
        if isinstance(w, (list, dict)):
            same = len(g) == len(w) and all(
                a.keys() == b.keys() and all(abs(a[k] - b[k]) < 1e-6 for k in a) for a, b in zip(g, w))
        elif w.dtype == object or np.issubdtype(w.dtype, np.integer):
            same = np.array_equal(g, w)
        else:
            same = g.shape == w.shape and np.allclose(g, w, 1e-3, 1e-4, equal_nan=True)
        if not same and not any(d in name for d in DIFFERS):
            print(f"{name}: ONNX Runtime has\n{g}\nexpected\n{w}")


def case(name, op, inputs, outputs, version=1, **attrs):
    global count
    count += 1
    attrs = {k: v for k, v in attrs.items() if v is not None}
    node = h.make_node(op, [f"x{i}" for i in range(len(inputs))],
                       [f"y{i}" for i in range(len(outputs))], domain=ML, **attrs)
    graph = h.make_graph([node], name, [h.make_value_info(f"x{i}", type_of(v)) for i, v in enumerate(inputs)],
                         [h.make_value_info(f"y{i}", type_of(v)) for i, v in enumerate(outputs)])
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 15), h.make_opsetid(ML, version)],
                         ir_version=8)
    folder = OUT / f"{op}-{version}_{name}"
    if str(folder) in seen:
        sys.exit(f"{folder}: two cases of that name")
    seen.add(str(folder))
    (folder / "test_data_set_0").mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(folder / "model.onnx"))
    for stem, values in (("input", inputs), ("output", outputs)):
        for i, v in enumerate(values):
            (folder / "test_data_set_0" / f"{stem}_{i}.pb").write_bytes(proto_of(v).SerializeToString())
    if CHECK:
        check(f"{op}-{version}_{name}", model, inputs, outputs)


def strings(*v, shape=None):
    a = np.array(v, object)
    return a.reshape(shape) if shape else a


# ---- post transforms, in double ----
def logistic(v):
    return 1 / (1 + np.exp(-v))


def softmax(v):
    e = np.exp(v - v.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_zero(v):
    m = v.max(-1, keepdims=True)
    e = np.where(np.abs(v) <= 1e-7, v * np.exp(-m), np.exp(v - m))
    s = e.sum(-1, keepdims=True)
    return np.where(s == 0, 0.5, e / np.where(s == 0, 1, s))


def probit(v):
    x = 2 * v - 1
    with np.errstate(all="ignore"):
        log = np.log((1 - x) * (1 + x))
        b = 2 / (math.pi * 0.147) + log / 2
        return np.sign(x) * math.sqrt(2) * np.sqrt(-b + np.sqrt(b * b - log / 0.147))


POST = {"NONE": lambda v: v, "LOGISTIC": logistic, "SOFTMAX": softmax, "SOFTMAX_ZERO": softmax_zero,
        "PROBIT": probit}


# ---- trees ----
class Tree:
    """A random tree; leaves hold (target, weight) votes."""

    def __init__(self, depth, features, targets, modes, positive, votes=1):
        self.nodes = []
        self.build(depth, features, targets, modes, positive, votes)

    def build(self, depth, features, targets, modes, positive, votes):
        at = len(self.nodes)
        self.nodes.append(None)
        if depth == 0 or (depth < 3 and rng.random() < 0.2):
            w = rng.random(votes) if positive else rng.normal(size=votes)
            ids = rng.choice(targets, votes, replace=False) if votes <= len(targets) else rng.choice(targets, votes)
            self.nodes[at] = ("LEAF", [(int(t), float(f32(v / 4))) for t, v in zip(ids, w)])
            return at
        mode = str(rng.choice(modes))
        value = float(f32(rng.integers(-2, 3) if mode in ("BRANCH_EQ", "BRANCH_NEQ") else rng.normal()))
        feature, missing = int(rng.integers(features)), int(rng.integers(2))
        yes = self.build(depth - 1, features, targets, modes, positive, votes)
        no = self.build(depth - 1, features, targets, modes, positive, votes)
        self.nodes[at] = (mode, feature, value, missing, yes, no)
        return at

    def votes(self, x):
        at = 0
        while self.nodes[at][0] != "LEAF":
            mode, feature, value, missing, yes, no = self.nodes[at]
            v = float(x[feature])
            if math.isnan(v):
                go = bool(missing)
            else:
                go = {"BRANCH_LEQ": v <= value, "BRANCH_LT": v < value, "BRANCH_GTE": v >= value,
                      "BRANCH_GT": v > value, "BRANCH_EQ": v == value, "BRANCH_NEQ": v != value}[mode]
            at = yes if go else no
        return self.nodes[at][1]


def tree_attrs(trees, kind, as_tensor=False):
    a = {k: [] for k in ("nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_modes", "nodes_values",
                         "nodes_truenodeids", "nodes_falsenodeids", "nodes_missing_value_tracks_true")}
    v = {f"{kind}_{k}": [] for k in ("treeids", "nodeids", "ids", "weights")}
    for t, tree in enumerate(trees):
        for i, n in enumerate(tree.nodes):
            leaf = n[0] == "LEAF"
            for k, e in zip(a, (t, i, 0 if leaf else n[1], n[0], 0.0 if leaf else n[2], 0 if leaf else n[4],
                                0 if leaf else n[5], 0 if leaf else n[3])):
                a[k].append(e)
            for target, weight in n[1] if leaf else ():
                for k, e in zip(v, (t, i, target, weight)):
                    v[k].append(e)
    a.update(v)
    if as_tensor:
        for k in ("nodes_values", f"{kind}_weights"):
            a[k + "_as_tensor"] = h.make_tensor(k, T.DOUBLE, [len(a[k])], a.pop(k))
    return a


def aggregate(trees, row, n, how):
    got = [[] for _ in range(n)]
    for t in trees:
        for target, w in t.votes(row):
            got[target].append(w)
    fn = {"SUM": sum, "AVERAGE": lambda v: sum(v) / len(trees), "MIN": min, "MAX": max}[how]
    return [fn(v) if v else 0.0 for v in got]


ALL = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]


def samples(n, width, dtype, missing=False):
    x = (rng.normal(size=(n, width)) * 2)
    x[:, 0] = np.round(x[:, 0])
    x = x.astype(dtype)
    if missing:
        x[rng.random(x.shape) < 0.3] = np.nan
    return x


def regressors():
    for version in (1, 3, 5):
        for dtype in (f32, f64, i32, i64):
            for how in ("SUM", "AVERAGE", "MIN", "MAX"):
                for n in (1, 3):
                    missing = how == "SUM" and dtype in (f32, f64)
                    modes = ALL if not missing else ALL[:5]
                    trees = [Tree(4, 5, range(n), modes, False, votes=n) for _ in range(6)]
                    x = samples(40, 5, dtype, missing)
                    base = [0.5] * n if how in ("SUM", "MAX") else None
                    y = np.array([aggregate(trees, r, n, how) for r in x]) + (0 if base is None else 0.5)
                    f64_lists = version > 1 and dtype == f64
                    case(f"{how.lower()}_{n}_{np.dtype(dtype).name}" + ("_missing" if missing else "") +
                         ("_f64_lists" if f64_lists else ""), "TreeEnsembleRegressor", [x],
                         [y.astype(f32)], version, n_targets=n, aggregate_function=how, base_values=base,
                         **tree_attrs(trees, "target", f64_lists))
    for post, fn in POST.items():
        trees = [Tree(3, 4, range(2), ALL, True, votes=2) for _ in range(2)]
        x = samples(9, 4, f32)
        y = np.array([aggregate(trees, r, 2, "SUM") for r in x])
        case(f"post_{post.lower()}", "TreeEnsembleRegressor", [x], [fn(y).astype(f32)], 3, n_targets=2,
             post_transform=post, **tree_attrs(trees, "target"))
    trees = [Tree(3, 4, range(1), ALL, True) for _ in range(2)]
    x = samples(9, 4, f32)
    y = np.array([aggregate(trees, r, 1, "SUM") for r in x])
    case("one_target_logistic", "TreeEnsembleRegressor", [x], [logistic(y).astype(f32)], 3, n_targets=1,
         post_transform="LOGISTIC", **tree_attrs(trees, "target"))


def label_values(labels, k):
    return np.array([labels[i] for i in k], object if isinstance(labels[0], str) else i64)


def label_attr(labels, ints="classlabels_int64s"):
    return {"classlabels_strings" if isinstance(labels[0], str) else ints: labels}


def classifiers():
    for version in (1, 3, 5):
        for labels in ([4, 7, -2], ["a", "b\u00e9", "c", "d"]):
            for post, fn in POST.items():
                n = len(labels)
                trees = [Tree(4, 6, range(n), ALL, post == "PROBIT", votes=2) for _ in range(5)]
                x = samples(33, 6, f32 if version < 5 else f64)
                base = [0.01 * (i + 1) for i in range(n)] if post in ("NONE", "SOFTMAX") else None
                y = np.array([aggregate(trees, r, n, "SUM") for r in x])
                if base:
                    y += np.array(base, f32).astype(f64)
                case(f"{n}_{post.lower()}", "TreeEnsembleClassifier", [x],
                     [label_values(labels, y.argmax(1)), fn(y).astype(f32)], version, post_transform=post,
                     base_values=base, **label_attr(labels), **tree_attrs(trees, "class"))
    for positive in (True, False):
        for post, fn in POST.items():
            if post == "PROBIT" and not positive:
                continue
            for which in (0, 1):
                trees = [Tree(3, 4, [which], ALL, positive) for _ in range(3)]
                x = samples(21, 4, f32)
                s = np.array([aggregate(trees, r, 2, "SUM") for r in x])[:, which]
                other = 1 - s if positive and post in ("NONE", "PROBIT") else -s
                y = np.stack([other, s], 1)
                # ONNX Runtime transforms one score by none of these or by LOGISTIC alone
                odd = which == 1 or post in ("SOFTMAX", "SOFTMAX_ZERO", "PROBIT") or positive and post == "LOGISTIC"
                case(f"binary_{which}_{'positive' if positive else 'mixed'}_{post.lower()}" +
                     ("_transform_one" if odd else ""), "TreeEnsembleClassifier", [x],
                     [label_values([10, 20], y.argmax(1)), fn(y).astype(f32)], 3, post_transform=post,
                     **label_attr([10, 20]), **tree_attrs(trees, "class"))
    trees = [Tree(3, 4, [0, 1], ALL, True, votes=2) for _ in range(3)]
    x = samples(21, 4, f32)
    y = np.array([aggregate(trees, r, 2, "SUM") for r in x])
    case("two_classes_both_voted_single_class", "TreeEnsembleClassifier", [x],
         [label_values(["no", "yes"], y.argmax(1)), y.astype(f32)], 3, **label_attr(["no", "yes"]),
         **tree_attrs(trees, "class"))


def ensembles():
    for np_type, onnx_type in ((f32, T.FLOAT), (f64, T.DOUBLE), (np.float16, T.FLOAT16)):
        for how, word in enumerate(("AVERAGE", "SUM", "MIN", "MAX")):
            splits = [0.5, 0, -1.0, 0]
            modes = [0, 6, 3, 6]
            members = [1, 2, 3, np.nan, -2, -1, np.nan]
            x = samples(12, 2, np_type)
            x[3, 1] = np.nan
            # tree 0: node 0 (x1 <= .5) ? node 1 (x0 in {1,2,3}) ? leaf 0 : leaf 1 : leaf 2
            # tree 1: node 2 (x1 > -1) ? leaf 3 : node 3 (x0 in {-2,-1}) ? leaf 0 : leaf 3
            w, t = [1.0, -2.0, 0.5, 4.0], [0, 0, 1, 1]
            rows = []
            for r in x:
                missing = math.isnan(r[1])
                a = (0 if r[0] in (1, 2, 3) else 1) if r[1] <= 0.5 or missing else 2
                b = 3 if not missing and r[1] > -1 else (0 if r[0] in (-2, -1) else 3)
                got = [[w[k] for k in (a, b) if t[k] == i] for i in (0, 1)]
                fn = {"SUM": sum, "AVERAGE": lambda v: sum(v) / 2, "MIN": min, "MAX": max}[word]
                rows.append([fn(v) if v else 0 for v in got])
            tensor = lambda n, v: h.make_tensor(n, onnx_type, [len(v)], np.array(v, np_type))
            case(f"{word.lower()}_{np.dtype(np_type).name}", "TreeEnsemble", [x], [np.array(rows).astype(np_type)], 5,
                 aggregate_function=how, n_targets=2, tree_roots=[0, 2], nodes_featureids=[1, 0, 1, 0],
                 nodes_splits=tensor("s", splits), nodes_modes=h.make_tensor("m", T.UINT8, [4], modes),
                 nodes_truenodeids=[1, 0, 3, 0], nodes_trueleafs=[0, 1, 1, 1], nodes_falsenodeids=[2, 1, 3, 3],
                 nodes_falseleafs=[1, 1, 0, 1], nodes_missing_value_tracks_true=[1, 0, 0, 0],
                 membership_values=tensor("v", members), leaf_targetids=t, leaf_weights=tensor("w", w))


# ---- linear, support vectors ----
def linears():
    for dtype in (f32, f64, i32, i64):
        for post, fn in POST.items():
            x = samples(7, 5, dtype)
            scale = 0.02 if post == "PROBIT" else 1
            w = (rng.normal(size=(3, 5)) * scale).astype(f32)
            b = np.full(3, 0.5, f32) if post == "PROBIT" else rng.normal(size=3).astype(f32)
            y = x.astype(f64) @ w.T.astype(f64) + b
            tag = f"{post.lower()}_{np.dtype(dtype).name}"
            case(tag, "LinearRegressor", [x], [fn(y).astype(f32)], targets=3, coefficients=w.ravel(), intercepts=b,
                 post_transform=post)
            case(tag, "LinearClassifier", [x], [label_values([3, 1, 2], y.argmax(1)), fn(y).astype(f32)],
                 coefficients=w.ravel(), intercepts=b, post_transform=post, classlabels_ints=[3, 1, 2])
            s = y[:, 0]
            pair = np.stack([-s, s], 1)
            if post != "PROBIT":
                case(tag + ("_one" if post == "LOGISTIC" else "_one_score"), "LinearClassifier", [x],
                     [label_values(["n", "p"], pair.argmax(1)), fn(pair).astype(f32)], coefficients=w[0],
                     intercepts=b[:1], post_transform=post, classlabels_strings=["n", "p"])
    x = samples(4, 3, f32)
    w = rng.normal(size=3).astype(f32)
    y = x.astype(f64) @ w
    case("no_intercept", "LinearRegressor", [x], [y[:, None].astype(f32)], coefficients=w)
    case("one_target_logistic", "LinearRegressor", [x], [logistic(y)[:, None].astype(f32)], coefficients=w,
         post_transform="LOGISTIC")
    case("one_label", "LinearClassifier", [x], [(y > 0).astype(i64), y[:, None].astype(f32)], coefficients=w,
         intercepts=[0.0])


def kernel(kind, g, c, d):
    return {"LINEAR": lambda a, b: a @ b, "POLY": lambda a, b: (g * (a @ b) + c) ** d,
            "RBF": lambda a, b: math.exp(-g * ((a - b) ** 2).sum()),
            "SIGMOID": lambda a, b: math.tanh(g * (a @ b) + c)}[kind]


def coupled(r):
    """Probabilities p minimising sum_ij (r_ji p_i - r_ij p_j)^2, solved directly."""
    k = len(r)
    q = np.array([[sum(r[j, t] ** 2 for j in range(k) if j != t) if t == s else -r[s, t] * r[t, s]
                   for s in range(k)] for t in range(k)])
    a = np.block([[q, np.ones((k, 1))], [np.ones((1, k)), np.zeros((1, 1))]])
    return np.linalg.solve(a, np.r_[np.zeros(k), 1])[:k]


def support_vectors():
    params = [0.25, 0.5, 3.0]
    for kind in ("LINEAR", "POLY", "RBF", "SIGMOID"):
        fn = kernel(kind, *params)
        for dtype in (f32, f64, i64):
            x = samples(6, 3, dtype)
            v, c = rng.normal(size=(5, 3)).astype(f32), rng.normal(size=5).astype(f32)
            y = np.array([[sum(float(c[k]) * fn(r.astype(f64), v[k].astype(f64)) for k in range(5)) + 0.25]
                          for r in x])
            tag = f"{kind.lower()}_{np.dtype(dtype).name}"
            common = dict(coefficients=c, support_vectors=v.ravel(), n_supports=5, rho=[0.25], kernel_params=params,
                          kernel_type=kind)
            if dtype != i64:
                case(tag, "SVMRegressor", [x], [y.astype(f32)], **common)
            if dtype == f32:
                case(tag + "_one_class", "SVMRegressor", [x], [np.where(y > 0, 1, -1).astype(f32)], one_class=1, **common)
                case(tag + "_svr_post", "SVMRegressor", [x], [logistic(y).astype(f32)], post_transform="LOGISTIC", **common)
            for per in ([2, 3], [2, 1, 3]):
                for labels in ([5, 3, 9][:len(per)], ["x", "y", "z"][:len(per)]):
                    svc(tag, x, fn, per, labels, dict(kernel_params=params, kernel_type=kind))
    x = samples(6, 3, f32)
    w = rng.normal(size=(3, 3)).astype(f32)
    y = x.astype(f64) @ w.T.astype(f64)
    case("linear", "SVMRegressor", [x], [(y[:, :1] + 0.5).astype(f32)], coefficients=w[0], rho=[0.5],
         kernel_params=params)
    case("linear_rho", "SVMClassifier", [x], [label_values([1, 2, 3], (y + 0.5).argmax(1)), (y + 0.5).astype(f32)],
         coefficients=w.ravel(), rho=[0.5], kernel_params=params, classlabels_ints=[1, 2, 3])


def svc(tag, x, fn, per, labels, common):
    k, n = len(per), sum(per)
    start = np.cumsum([0] + per)
    v, c = rng.normal(size=(n, 3)).astype(f32), rng.normal(size=(k - 1, n)).astype(f32)
    pairs = [(i, j) for i in range(k) for j in range(i + 1, k)]
    rho = rng.normal(size=len(pairs)).astype(f32)
    a, b = rng.normal(size=len(pairs)).astype(f32), rng.normal(size=len(pairs)).astype(f32)
    scores, votes, probs = [], [], []
    for r in x:
        kv = np.array([fn(r.astype(f64), w.astype(f64)) for w in v])
        s = [float(rho[p]) + c[j - 1, start[i]:start[i + 1]].astype(f64) @ kv[start[i]:start[i + 1]] +
             c[i, start[j]:start[j + 1]].astype(f64) @ kv[start[j]:start[j + 1]] for p, (i, j) in enumerate(pairs)]
        vote, q = np.zeros(k), np.zeros((k, k))
        for p, (i, j) in enumerate(pairs):
            vote[i if s[p] > 0 else j] += 1
            q[i, j] = min(max(1 - logistic(s[p] * float(a[p]) + float(b[p])), 1e-7), 1 - 1e-7)
            q[j, i] = 1 - q[i, j]
        scores.append(s)
        votes.append(vote.argmax())
        probs.append(coupled(q))
    raw = scores = np.array(scores)
    if k == 2:
        scores = np.concatenate([-scores, scores], 1)
    common = dict(common, coefficients=c.ravel(), support_vectors=v.ravel(), vectors_per_class=per, rho=rho,
                  **label_attr(labels, "classlabels_ints"))
    tag += f"_{k}_{type(labels[0]).__name__}"
    out = label_values(labels, votes)
    case(tag, "SVMClassifier", [x], [out, scores.astype(f32)], **common)
    for post in ("LOGISTIC", "SOFTMAX"):
        case(f"{tag}_{post.lower()}" + ("_svc_pair" if k == 2 else ""), "SVMClassifier", [x],
             [out, POST[post](scores).astype(f32)], post_transform=post, **common)
    # libsvm's iteration stops 0.005 / k short of the minimum
    p = np.array([libsvm(q_of(s, a, b, pairs, k)) for s in raw])
    assert np.abs(p - np.array(probs)).max() < 0.02
    case(tag + "_probabilities", "SVMClassifier", [x], [out, p.astype(f32)], prob_a=a, prob_b=b, **common)


def q_of(s, a, b, pairs, k):
    q = np.zeros((k, k))
    for p, (i, j) in enumerate(pairs):
        q[i, j] = min(max(1 - logistic(s[p] * float(a[p]) + float(b[p])), 1e-7), 1 - 1e-7)
        q[j, i] = 1 - q[i, j]
    return q


def libsvm(r):
    """Algorithm 2 of Wu, Lin and Weng (2004) with libsvm's stopping rule."""
    k = len(r)
    q = np.array([[sum(r[j, t] ** 2 for j in range(k) if j != t) if t == s else -r[s, t] * r[t, s]
                   for s in range(k)] for t in range(k)])
    p = np.full(k, 1 / k)
    for _ in range(max(100, k)):
        if np.abs(q @ p - p @ q @ p).max() < 0.005 / k:
            break
        for t in range(k):
            p[t] += (p @ q @ p - q[t] @ p) / q[t, t]
            p /= p.sum()
    return p


# ---- features ----
def scales():
    for dtype in (f32, f64, i32, i64):
        x = np.array([[1, -2, 4], [0, 0, 0], [3, 1, -7]], dtype)
        name = np.dtype(dtype).name
        d = x.astype(f64)
        div = {"MAX": d.max(1), "L1": np.abs(d).sum(1), "L2": np.sqrt((d * d).sum(1))}
        for norm, v in div.items():
            v = np.where(v == 0, 1, v)
            case(f"{norm.lower()}_{name}", "Normalizer", [x], [(d / v[:, None]).astype(f32)], norm=norm)
        case(name, "Scaler", [x], [((d - [1, 0.5, -1]) * [2, 0.25, 3]).astype(f32)], offset=[1.0, 0.5, -1.0],
             scale=[2.0, 0.25, 3.0])
        case(name + "_all", "Scaler", [x], [((d - 0.5) * 4).astype(f32)], offset=[0.5], scale=[4.0])
        case(name, "Binarizer", [x], [(x > 0.5).astype(dtype)], threshold=0.5)
        if dtype in (f32, f64):
            case(name, "Imputer", [x], [np.where(x == 0, dtype([9, 8, 7]), x).astype(dtype)],
                 imputed_value_floats=[9.0, 8.0, 7.0], replaced_value_float=0.0)
            y = x.copy()
            y[0, 1] = y[2, 2] = np.nan
            case(name + "_nan", "Imputer", [y], [np.where(np.isnan(y), dtype(5), y)], imputed_value_floats=[5.0],
                 replaced_value_float=float("nan"))
        elif dtype == i64:
            case(name, "Imputer", [x], [np.where(x == -2, 100, x).astype(dtype)], imputed_value_int64s=[100],
                 replaced_value_int64=-2)
        z = np.arange(24, dtype=dtype).reshape(2, 3, 4)
        case(name, "ArrayFeatureExtractor", [z, np.array([3, 0, 3], i64)], [z[..., [3, 0, 3]]])
        case(name + "_vector", "ArrayFeatureExtractor", [z[0, 0], np.array([[2, 1]], i64)], [z[0, 0][[2, 1]][None]])
        a, b = np.arange(6, dtype=dtype).reshape(2, 3), np.arange(4, dtype=dtype).reshape(2, 2)
        case(name, "FeatureVectorizer", [a, b], [np.concatenate([a, b], 1).astype(f32)], inputdimensions=[3, 2])
    s = strings("a", "b\u00e9", "", "d", "e", "f", shape=(2, 3))
    case("str", "ArrayFeatureExtractor", [s, np.array([2, 0], i64)], [s[:, [2, 0]]])


def encoders():
    s = strings("b", "zz", "a", "\u00e9t\u00e9", shape=(2, 2))
    i = np.array([[2, 0], [9, -1]], i64)
    cats = ["a", "b", "\u00e9t\u00e9"]
    case("to_int", "CategoryMapper", [s], [np.array([[20, -7], [10, 30]], i64)], cats_strings=cats,
         cats_int64s=[10, 20, 30], default_int64=-7)
    case("to_str", "CategoryMapper", [i], [strings("b", "none", "none", "none", shape=(2, 2))], cats_strings=cats,
         cats_int64s=[1, 2, 3], default_string="none")
    case("to_int", "LabelEncoder", [s], [np.array([[1, -1], [0, 2]], i64)], classes_strings=cats)
    case("to_str", "LabelEncoder", [i], [strings("\u00e9t\u00e9", "a", "?", "?", shape=(2, 2))], classes_strings=cats,
         default_string="?")
    keys = {"strings": (s, ["a", "b"]), "int64s": (i, [2, -1]), "floats": (np.array([1.5, np.nan, -0.5], f32), [1.5, np.nan])}
    values = {"strings": (["p", "q"], "_Unused", object), "int64s": ([4, 5], -1, i64), "floats": ([0.5, 0.25], -0.0, f32)}
    for version in (2, 4):
        for kn, (x, ks) in keys.items():
            for vn, (vs, default, dtype) in values.items():
                same = lambda a, b: a == b or (a != a and b != b)
                y = np.array([next((v for k, v in zip(ks, vs) if same(k, e)), default) for e in x.ravel().tolist()],
                             dtype).reshape(x.shape)
                case(f"{kn}_{vn}", "LabelEncoder", [x], [y], version, **{f"keys_{kn}": ks, f"values_{vn}": vs})
    for kt, vt in ((f64, i64), (i64, f64), (np.int16, np.int16), (i32, f32), (f32, np.int16), (f64, f64), (np.int16, i32)):
        kp, vp = h.np_dtype_to_tensor_dtype(np.dtype(kt)), h.np_dtype_to_tensor_dtype(np.dtype(vt))
        x = np.array([[3, 1, 7], [2, 2, 0]], kt)
        y = np.array([[30, 10, 99], [20, 20, 99]], vt)
        case(f"tensor_{np.dtype(kt).name}_{np.dtype(vt).name}", "LabelEncoder", [x], [y], 4,
             keys_tensor=h.make_tensor("k", kp, [3], np.array([1, 2, 3], kt)),
             values_tensor=h.make_tensor("v", vp, [3], np.array([10, 20, 30], vt)),
             default_tensor=h.make_tensor("d", vp, [1], np.array([99], vt)))
    case("repeated", "LabelEncoder", [np.array([1, 2], i64)], [np.array([30, 20], i64)], 4, keys_int64s=[1, 2, 1],
         values_int64s=[10, 20, 30])
    case("minus_zero", "LabelEncoder", [np.array([-0.0, 0.0], f32)], [np.array([7, 7], i64)], 4, keys_floats=[0.0],
         values_int64s=[7])
    for x in (s, i, i.astype(i32), i.astype(f32), i.astype(f64), i[0]):
        text = x.dtype == object
        cs = cats if text else [9, 2, 5]
        y = np.array([[float(c == e) for c in cs] for e in x.ravel()], f32).reshape(x.shape + (len(cs),))
        case(f"{'str' if text else x.dtype.name}_{x.ndim}", "OneHotEncoder", [x], [y],
             **{"cats_strings" if text else "cats_int64s": cs})


def maps():
    for dtype in (f32, f64, i64):
        d = {"a": dtype(4), "c": dtype(8)}
        case(f"str_{np.dtype(dtype).name}", "DictVectorizer", [d], [np.array([[4, 8, 0, 0]], dtype)],
             string_vocabulary=["a", "c", "b", "z"])
    for dtype in (f32, f64):
        case(f"int_{np.dtype(dtype).name}", "DictVectorizer", [{7: dtype(1.5), -3: dtype(2)}],
             [np.array([[0, 2, 1.5]], dtype)], int64_vocabulary=[1, -3, 7])
    case("int_str", "DictVectorizer", [{7: "x", -3: "y"}], [strings("", "y", "x", shape=(1, 3))],
         int64_vocabulary=[1, -3, 7])
    m, t = {7: f32(1.5), 2: f32(-2.75), 3: f32(0.25)}, {5: "4", 1: "-3"}
    case("dense", "CastMap", [m], [np.array([[-2.75, 0.25, 1.5]], f32)])
    case("sparse", "CastMap", [m], [np.array([[0, 0, -2.75, 0.25, 0, 0, 0, 1.5, 0]], f32)], map_form="SPARSE", max_map=9)
    case("to_int", "CastMap", [m], [np.array([[-2, 0, 1]], i64)], cast_to="TO_INT64")
    case("map_to_string", "CastMap", [m], [strings("-2.75", "0.25", "1.5", shape=(1, 3))], cast_to="TO_STRING")
    case("text_to_float", "CastMap", [t], [np.array([[-3, 4]], f32)])
    case("text_to_int", "CastMap", [t], [np.array([[-3, 4]], i64)], cast_to="TO_INT64")
    case("text", "CastMap", [t], [strings("-3", "4", shape=(1, 2))], cast_to="TO_STRING")
    x = rng.normal(size=(3, 2)).astype(f32)
    case("int", "ZipMap", [x], [[{5: r[0], -2: r[1]} for r in x]], classlabels_int64s=[5, -2])
    case("str", "ZipMap", [x], [[{"a": r[0], "\u00e9": r[1]} for r in x]], classlabels_strings=["a", "\u00e9"])


for make in (regressors, classifiers, ensembles, linears, support_vectors, scales, encoders, maps):
    make()
print(f"{count} cases in {OUT}")

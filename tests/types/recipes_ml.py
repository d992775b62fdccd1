"""Recipes for ai.onnx.ml, from the text of the specification."""
import numpy as np

from recipe import NUMPY, Map, Seq, recipe, tensor, wide


@recipe("CastMap")
def cast_map(c):
    kind, target = c.types["T1"][4:-1].split(", ")[1], c.kind("T2")
    m = Map({1: "2" if kind == "string" else 2.0, 4: "3" if kind == "string" else 3.0}, ("int64", kind))
    to = {"float": "TO_FLOAT", "int64": "TO_INT64", "string": "TO_STRING"}[target]
    v = np.array([["2", "3"]], object) if target == "string" else np.array([[2, 3]])
    if target == "string" and kind == "float":
        v = np.array([["2.0", "3.0"]], object)
    c.emit([m], [v], cast_to=to)
    if target != "string":
        c.emit([m], [np.array([[0, 2, 0, 0, 3, 0]])], cast_to=to, map_form="SPARSE", max_map=6)


@recipe("Imputer")
def imputer(c):
    x = c.array("T", 3, 4)
    if c.kind("T") in ("float", "double"):
        x[1, 2] = x[0, 1] = np.nan
        y = np.where(np.isnan(x), [1, 2, 3, 4], x)
        c.emit([x], [y], imputed_value_floats=[1.0, 2.0, 3.0, 4.0], replaced_value_float=float("nan"))
    else:
        x[1, 2] = x[0, 1] = 77
        c.emit([x], [np.where(x == 77, [1, 2, 3, 4], x)], imputed_value_int64s=[1, 2, 3, 4], replaced_value_int64=77)


@recipe("LabelEncoder")
def label_encoder(c):
    if c.version == 1:  # classes_strings, by position
        words, numbers = np.array(["b", "a", "none"], object), np.array([1, 0, -2])
        x, y = (words, numbers) if c.kind("T1") == "string" else (numbers, words)
        c.emit([x], [y], classes_strings=["a", "b"], default_string="none", default_int64=-2)
        return
    keys = {"string": ["a", "b", "c"]}.get(c.kind("T1"), [1, 2, 3])
    values = {"string": ["x", "y", "z"]}.get(c.kind("T2"), [7, 8, 9])
    default = "none" if c.kind("T2") == "string" else -2
    of = lambda v, var: np.array(v, NUMPY[c.kind(var)])
    x = of([keys[2], keys[0], "q" if c.kind("T1") == "string" else 5], "T1")
    y = of([values[2], values[0], default], "T2")
    if c.version >= 4:
        c.emit([x], [y], keys_tensor=tensor(of(keys, "T1")), values_tensor=tensor(of(values, "T2")),
               default_tensor=tensor(of([default], "T2")))
        return
    name = {"string": "strings", "int64": "int64s", "float": "floats"}
    real = lambda v, var: [float(e) for e in v] if c.kind(var) == "float" else v
    c.emit([x], [y], **{"keys_" + name[c.kind("T1")]: real(keys, "T1"), "values_" + name[c.kind("T2")]: real(values, "T2"),
                        "default_" + name[c.kind("T2")].rstrip("s"): real([default], "T2")[0]})


def labels(c):
    return (dict(classlabels_strings=["no", "yes"]), np.array(["no", "yes"], object)) if c.kind("T2") == "string" else \
        (dict(classlabels_ints=[3, 8]), np.array([3, 8]))


@recipe("SVMClassifier")
def svm_classifier(c):
    # Two classes, one support vector each, linear kernel: the sign of x.(a v1 - a v0) + rho decides.
    x = c.array("T1", 4, 2)
    attributes, names = labels(c)
    s0, s1 = np.array([1.0, -2.0]), np.array([-1.0, 3.0])
    score = wide(x) @ s0 * 0.5 - wide(x) @ s1 * 0.5 + 0.25
    # Class 0 wins where the pair's score is positive; the columns are the score against and for it.
    y = names[np.where(score > 0, 0, 1)]
    c.emit([x], [y, np.stack([-score, score], 1)], tol=8, support_vectors=[1.0, -2.0, -1.0, 3.0], coefficients=[0.5, -0.5],
           vectors_per_class=[1, 1], rho=[0.25], kernel_type="LINEAR", kernel_params=[0.0, 0.0, 0.0], **attributes)


@recipe("SVMRegressor")
def svm_regressor(c):
    x = c.array("T", 4, 2)
    y = wide(x) @ [1.0, -2.0] * 0.5 + wide(x) @ [-1.0, 3.0] * 2 + 0.25
    c.emit([x], [y[:, None]], tol=8, support_vectors=[1.0, -2.0, -1.0, 3.0], coefficients=[0.5, 2.0], n_supports=2, rho=[0.25],
           kernel_type="LINEAR", kernel_params=[0.0, 0.0, 0.0])


@recipe("TreeEnsembleClassifier")
def tree_classifier(c):
    # One tree: x[0] <= 1 ? leaf of class 0 : x[1] < 3 ? leaf of class 1 : leaf of class 0 (weight 0.5).
    x = c.ints("T1", 0, 5, 2, 1, 2, 4, 1, 9).reshape(4, 2)
    attributes, names = labels(c)
    if "classlabels_ints" in attributes:
        attributes = dict(classlabels_int64s=attributes["classlabels_ints"])
    scores = np.array([[0.75, 0], [0, 0.25], [0.5, 0], [0.75, 0]])
    c.emit([x], [names[scores.argmax(1)], scores], nodes_treeids=[0] * 5, nodes_nodeids=[0, 1, 2, 3, 4],
           nodes_featureids=[0, 0, 1, 0, 0], nodes_values=[1.0, 0.0, 3.0, 0.0, 0.0],
           nodes_modes=["BRANCH_LEQ", "LEAF", "BRANCH_LT", "LEAF", "LEAF"], nodes_truenodeids=[1, 0, 3, 0, 0],
           nodes_falsenodeids=[2, 0, 4, 0, 0], class_treeids=[0, 0, 0], class_nodeids=[1, 3, 4], class_ids=[0, 1, 0],
           class_weights=[0.75, 0.25, 0.5], **attributes)


@recipe("ZipMap")
def zip_map(c):
    x = c.array("float", 2, 3)
    text = "string" in c.types["T"]
    keys = ["a", "b", "c"] if text else [4, 5, 6]
    y = Seq([Map(zip(keys, row.tolist()), ("string" if text else "int64", "float")) for row in x], "map")
    c.emit([x], [y], **{"classlabels_strings" if text else "classlabels_int64s": keys})

#!/usr/bin/env python3
"""Test cases for the operators on strings that ONNX's own suite leaves out.

Usage: make_string.py OUT_FOLDER.  Expected outputs come from Python: str.split, str.lower, re.fullmatch,
and n-grams counted by their definition.
"""
import pathlib
import re
import sys

import numpy as np
import onnx
from onnx import helper as h, numpy_helper as nh

OUT = pathlib.Path(sys.argv[1])
rng = np.random.default_rng(3)
count = 0


def case(name, op, inputs, outputs, opset, **attrs):
    global count
    count += 1

    def info(stem, i, v):
        t = onnx.TensorProto.STRING if v.dtype == object else h.np_dtype_to_tensor_dtype(v.dtype)
        return h.make_tensor_value_info(f"{stem}{i}", t, None)

    node = h.make_node(op, [f"x{i}" for i in range(len(inputs))], [f"y{i}" for i in range(len(outputs))],
                       **{k: v for k, v in attrs.items() if v is not None})
    graph = h.make_graph([node], name, [info("x", i, v) for i, v in enumerate(inputs)],
                         [info("y", i, v) for i, v in enumerate(outputs)])
    folder = OUT / f"{op}_{name}"
    folder.joinpath("test_data_set_0").mkdir(parents=True)
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", opset)], ir_version=9),
              str(folder / "model.onnx"))
    for stem, values in (("input", inputs), ("output", outputs)):
        for i, v in enumerate(values):
            (folder / "test_data_set_0" / f"{stem}_{i}.pb").write_bytes(nh.from_array(v).SerializeToString())


def text(v, shape=None):
    a = np.empty(len(v), object)
    a[:] = v
    return a if shape is None else a.reshape(shape)


WORDS = ["", " ", "a b  c", "  lead", "trail \t", "x,y,,z", ",", ",,", "\u00e9t\u00e9 \u65e5\u672c\u8a9e",
         "one\u00a0two\u3000three", "a,b c,d", "\n"]


def splits():
    for delimiter in (None, "", ",", " ", ",,", "\u672c"):
        for most in (None, 0, 1, 2, 100):
            x = text(WORDS, (3, 4))
            parts = [w.split(delimiter or None, -1 if most is None else most) for w in WORDS]
            n = max(map(len, parts))
            y = text([p for q in parts for p in q + [""] * (n - len(q))], (3, 4, n))
            case(f"{['none', 'empty', 'comma', 'blank', 'commas', 'kanji'][[None, '', ',', ' ', ',,', chr(0x672c)].index(delimiter)]}_{most}",
                 "StringSplit", [x], [y, np.array([len(p) for p in parts], np.int64).reshape(3, 4)], 20,
                 delimiter=delimiter, maxsplit=most)
    case("nothing", "StringSplit", [text(["", "  "])], [np.empty((2, 0), object), np.zeros(2, np.int64)], 20)
    case("scalar", "StringSplit", [text(["a b"], ())], [text(["a", "b"]), np.array(2, np.int64)], 20)


def normalizers():
    w = ["\u00c9TUDE", "stra\u00dfe", "\u0416\u0443\u043a", "STOP", "stop", "\u00e9tude", "\u01c5", "\u0250x"]
    for action in ("NONE", "LOWER", "UPPER"):
        for sensitive in (0, 1):
            for shape in ((8,), (1, 8)):
                stops = ["stop", "\u00e9tude"]
                kept = [v for v in w if (v if sensitive else v.lower()) not in stops]
                change = {"NONE": str, "LOWER": str.lower, "UPPER": str.upper}[action]
                y = [v if len(change(v)) != len(v) else change(v) for v in kept]  # one character for one
                y = [v.replace("tra\u00dfe", "TRA\u00dfE").replace("s", "S") if action == "UPPER" and "\u00df" in v else v
                     for v in y]
                out = text(y, (len(y),) if len(shape) == 1 else (1, len(y)))
                case(f"{action.lower()}_{sensitive}_{len(shape)}", "StringNormalizer", [text(w, shape)], [out], 10,
                     case_change_action=action, is_case_sensitive=sensitive, stopwords=stops)


def regexes():
    words = ["", "a", "aa", "ab", "abc", "a\nb", "\u00e9", "\u65e5\u672c", "a" * 16, "a" * 16 + "b", "foo@bar.org", "12", "a.b", "ABC"]
    for i, p in enumerate(["a*", "a|ab", "(a|ab)(c|bcd)?", ".", ".*", "(?s).*", "(a+)+", "(a*)*b", "[[:alpha:]]+", r"\d{2}",
                           r"[^@]+@[\w.]+", "a$", "^a$", "(?i)abc", "\u65e5.", "[\u00e0-\u00ff]", "(?:a|b)+?", r"\Aab\z", "",
                           "(?P<n>a)b", r"a\.b", "x*"]):
        py = p.replace("[[:alpha:]]", "[A-Za-z]").replace(r"\z", r"\Z")
        y = np.array([re.fullmatch(py, w) is not None for w in words])
        case(str(i), "RegexFullMatch", [text(words)], [y], 20, pattern=p)


def concats():
    a, b = text(["x", "", "\u00e9"], (3, 1)), text(["1", "22"], (1, 2))
    y = text([p + q for p in a.ravel() for q in b.ravel()], (3, 2))
    case("both", "StringConcat", [a, b], [y], 20)
    c = text(list("abcdefgh"), (2, 2, 2))
    case("inner", "StringConcat", [c, text(["1", "2"], (2, 1))], [text([p + "12"[i // 2 % 2] for i, p in enumerate(c.ravel())], (2, 2, 2))], 20)


def grams(row, n, skip):
    """All n-grams of a row whose parts are skip + 1 apart."""
    step = skip + 1
    return [tuple(row[i + k * step] for k in range(n)) for i in range(len(row) - (n - 1) * step)]


def tfidfs():
    unigrams, bigrams, trigrams = [(2,), (3,), (5,), (7,)], [(2, 3), (5, 5), (3, 2), (7, 7)], [(2, 3, 5), (5, 5, 5)]
    pool = unigrams + bigrams + trigrams
    order = rng.permutation(len(pool)).tolist()
    weights = rng.random(len(pool)).astype(np.float32)
    for mode in ("TF", "IDF", "TFIDF"):
        for low, high in ((1, 1), (1, 2), (2, 2), (1, 3), (2, 3), (3, 3)):
            for skip in (0, 1, 3):
                for kind in (np.int32, np.int64, object):
                    x = rng.choice([2, 3, 5, 7, 9], (3, 11))
                    y = np.zeros((3, len(pool)))
                    for r, row in enumerate(x.tolist()):
                        for g, gram in enumerate(pool):
                            n = len(gram)
                            if low <= n <= high:
                                y[r, order[g]] = sum(grams(row, n, s).count(gram) for s in range(1 if n == 1 else skip + 1))
                    if mode != "TF":
                        y = (y > 0) * weights if mode == "IDF" else y * weights
                    flat = [v for g in pool for v in g]
                    words = {"pool_strings" if kind is object else "pool_int64s": [f"w{v}" for v in flat] if kind is object else flat}
                    xs = text([f"w{v}" for v in x.ravel()], x.shape) if kind is object else x.astype(kind)
                    case(f"{mode.lower()}_{low}{high}_{skip}_{kind.__name__}", "TfIdfVectorizer", [xs], [y.astype(np.float32)], 9,
                         mode=mode, min_gram_length=low, max_gram_length=high, max_skip_count=skip,
                         ngram_counts=[0, 4, 12], ngram_indexes=order, weights=weights, **words)


for make in (splits, normalizers, regexes, concats, tfidfs):
    make()
print(f"{count} cases in {OUT}")

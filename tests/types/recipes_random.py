"""Recipes for operators that draw: judged by type and shape here, by distribution in tests/unit/test_random.c."""
import numpy as np

from recipe import NUMBER, NUMPY, recipe


@recipe("RandomNormal", "RandomUniform")
def drawn(c):
    c.emit([], [np.zeros((2, 3))], dtype=NUMBER[c.kind("T")], shape=[2, 3])


@recipe("RandomNormalLike", "RandomUniformLike")
def drawn_like(c):
    x = c.array("T1", 2, 3)
    c.emit([x], [np.zeros((2, 3))], dtype=NUMBER[c.kind("T2")])
    if c.kind("T1") == c.kind("T2"):
        c.emit([x], [np.zeros((2, 3))])


@recipe("Bernoulli")
def bernoulli(c):
    x = c.uniform("T1", 2, 3, low=0, high=1)
    c.emit([x], [np.zeros((2, 3))], dtype=NUMBER[c.kind("T2")])
    if c.kind("T1") == c.kind("T2"):
        c.emit([x], [np.zeros((2, 3))])


@recipe("Multinomial")
def multinomial(c):
    x = c.uniform("T1", 2, 3, low=-1, high=1)
    c.emit([x], [np.zeros((2, 5))], dtype=NUMBER[c.kind("T2")], sample_size=5)


@recipe("Dropout")
def dropout(c):
    # Not training: nothing is drawn.  Training with ratio 0 draws nothing either.
    x = c.array("T", 3, 4)
    if "T2" in c.t:
        for training, ratio in ((False, 0.5), (True, 0.0)):
            c.emit([x, np.array(ratio, NUMPY[c.kind("T1")]), np.array(training)], [x, np.ones((3, 4), bool)])
        c.emit([x, np.array(0.5, NUMPY[c.kind("T1")]), np.array(True)], [x, np.ones((3, 4), bool)])
    else:
        c.emit([x], [x, np.ones((3, 4), bool) if c.version >= 10 else None], is_test=1 if c.version < 7 else None)

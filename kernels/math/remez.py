#!/usr/bin/env python3
"""Makes the numbers in kernels/math: minimax polynomials, and 2/pi in pieces (two_over_pi.h).
Needs mpmath; the build never runs it.  Prints each polynomial's error and its coefficients, highest
power first, as the OX_POLY macros take them.

Weighted Remez exchange in 60 digits.  Coefficients of float polynomials are rounded one at a time and
the remaining ones fitted again, so that rounding errors compensate."""
import mpmath as m
from mpmath import lu_solve, matrix, mp, mpf

mp.dps = 60


def accurate(f):
    """f without cancellation near 0, where its limit is taken"""
    def g(x):
        with mp.workdps(160):
            return f(x if x else mpf(10) ** -40)
    return g


def residual(f, fixed):
    return lambda x: f(x) - sum(c * x**p for p, c in fixed)


def remez(f, a, b, powers, w, fixed):
    """Coefficients c that minimise max |w (f - fixed - sum c_i x^powers_i)| on [a, b]"""
    n, g = len(powers), residual(f, fixed)
    points = [(a + b) / 2 - (b - a) / 2 * m.cos(m.pi * k / n) for k in range(n + 1)]
    grid = [(a + b) / 2 - (b - a) / 2 * m.cos(m.pi * k / (40 * n)) for k in range(40 * n + 1)]
    grid = [x for x in grid if abs(x) > 1e-9 or 0 in powers]  # all is 0 there, but for noise
    values = [(x, g(x), w(x)) for x in grid]
    for _ in range(30):
        A, y = matrix(n + 1, n + 1), matrix(n + 1, 1)
        for i, x in enumerate(points):
            for j, p in enumerate(powers):
                A[i, j] = x**p if p else mpf(1)
            A[i, n] = (-1) ** i / w(x)
            y[i] = g(x)
        c = lu_solve(A, y)
        error = [wx * (gx - sum(c[j] * (x**p if p else 1) for j, p in enumerate(powers)))
                 for x, gx, wx in values]
        peaks, start = [], 0
        for i in range(1, len(grid) + 1):
            if i == len(grid) or (error[i] > 0) != (error[start] > 0):
                peaks.append(max(range(start, i), key=lambda k: abs(error[k])))
                start = i
        if len(peaks) < n + 1:
            break
        while len(peaks) > n + 1:
            peaks.pop(0 if abs(error[peaks[0]]) < abs(error[peaks[-1]]) else -1)
        points = [grid[i] for i in peaks]
        low, high = min(abs(error[i]) for i in peaks), max(abs(error[i]) for i in peaks)
        if high - low < high / 1000:
            break
    return [c[j] for j in range(n)]


def rounded(x, bits):
    unit = mpf(2) ** (m.floor(m.log(abs(x), 2)) - bits + 1)
    return m.nint(x / unit) * unit


def fit(name, f, a, b, powers, w, bits=53, fixed=()):
    f, w, a, b = accurate(f), accurate(w), mpf(a), mpf(b)
    found, todo = [(p, mpf(c)) for p, c in fixed], list(powers)
    while todo:
        c = remez(f, a, b, todo, w, found)
        n = 1 if bits < 53 else len(todo)
        found += [(p, rounded(v, bits)) for p, v in zip(todo[:n], c)]
        todo = todo[n:]
    g = residual(f, found)
    worst = max(abs(w(x) * g(x)) for x in (a + (b - a) * k / 2000 for k in range(2001)))
    print(f"{name}: 2^{float(m.log(worst, 2)):.2f}")
    for p, c in sorted(found, reverse=True):
        print(f"    {float(c).hex()}{'f' if bits < 53 else ''},  x^{p}")


def two_over_pi():
    """2^(e - 150) 2/pi modulo 4 for biased float exponents e from 147 on, in three doubles: multiples
    of 2^-27, then of 2^-56, then the rest; the first two times a 24-bit number are exact."""
    print("two_over_pi.h:")
    with mp.workprec(600):
        for e in range(147, 255):
            f = 2 / m.pi * mpf(2) ** (e - 150)
            f -= 4 * m.floor(f / 4)
            row = []
            for unit in (mpf(2) ** -27, mpf(2) ** -56):
                row.append(unit * m.floor(f / unit))
                f -= row[-1]
            print("    { %s }," % ", ".join(float(v).hex() for v in row + [f]))


def main():
    ln2, one = m.log(2), lambda x: mpf(1)
    half = ln2 / 2 * mpf("1.002")
    fit("exp_f32", m.exp, -half, half, range(2, 7), lambda r: m.exp(-r), 24, [(0, 1), (1, 1)])
    f = lambda r: m.expm1(r * ln2) / r
    fit("exp2_parts: (2^r - 1) / r", f, "-0.5001", "0.5001", range(7), lambda r: 1 / f(r))
    low, high = m.sqrt(mpf(1) / 2) - 1, m.sqrt(2) - 1
    log = lambda x: m.log1p(x) / x
    for degree in (11, 14):
        fit("log1p(f) / f", log, low, high, range(degree + 1), lambda x: 1 / log(x))
    fit("erf_f32: -log2(erfc x) / x", lambda x: -m.log(m.erfc(x), 2) / x, 0, 4, range(11),
        lambda x: ln2 * x * m.erfc(x) / m.erf(x))
    erfcx = lambda x: m.exp(x * x) * m.erfc(x) * (x + 3)
    at = lambda t: erfcx(3 * (1 + t) / (1 - t))
    fit("erfc_core: exp(x^2) erfc(x) (x + 3) of (x - 3) / (x + 3)", at, -1,
        mpf("7.3") / mpf("13.3"), range(12), lambda t: 1 / at(t))
    quarter = (m.pi / 4 * mpf("1.0001")) ** 2
    root = m.sqrt
    fit("sin: (sin(x) / x - 1) / z, z = x^2", lambda z: (m.sin(root(z)) / root(z) - 1) / z, 0,
        quarter, range(4), lambda z: z * root(z) / m.sin(root(z)) + mpf("1e-9"))
    fit("cos: (cos(x) - 1) / z", lambda z: (m.cos(root(z)) - 1) / z, 0, quarter, range(4),
        lambda z: z / m.cos(root(z)) + mpf("1e-9"))
    atan = lambda z: m.atan(root(z)) / root(z)
    fit("atan(x) / x", atan, 0, 1, range(12), lambda z: 1 / atan(z))
    asin = lambda z: m.asin(root(z)) / root(z)
    fit("asin(x) / x", asin, 0, "0.25", range(8), lambda z: 1 / asin(z))
    two_over_pi()


if __name__ == "__main__":
    main()

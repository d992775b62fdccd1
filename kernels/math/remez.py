#!/usr/bin/env python3
"""Makes the numbers in kernels/math: minimax polynomials, tables of polynomials (tables.h), and
2/pi in pieces (two_over_pi.h).
Needs mpmath; the build never runs it.  Prints each polynomial's error and its coefficients, highest
power first, as the OX_POLY macros take them.

Weighted Remez exchange in 60 digits.  Coefficients of float polynomials are rounded one at a time and
the remaining ones fitted again, so that rounding errors compensate."""
import re
import struct
import textwrap

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


def as_float(x):
    return mpf(struct.unpack("<f", struct.pack("<f", float(x)))[0])


def float_of(bits):
    return mpf(struct.unpack("<f", struct.pack("<I", bits))[0])


def bits_of(x):
    return struct.unpack("<I", struct.pack("<f", float(x)))[0]


def least_squares(f, w, a, b, n):
    """n float coefficients of f on [a, b]; at Chebyshev nodes, where that is nearly minimax"""
    x = [(a + b) / 2 - (b - a) / 2 * m.cos(m.pi * (2 * k + 1) / (40 * n)) for k in range(20 * n)]
    y, weight, scale, found = [f(v) for v in x], [w(v) for v in x], max(abs(a), abs(b)), []
    for i in range(n):
        A = matrix(len(x), n - i)
        for k, v in enumerate(x):
            for p in range(i, n):
                A[k, p - i] = weight[k] * (v / scale) ** p
        c = m.qr_solve(A, matrix([weight[k] * y[k] for k in range(len(x))]))[0]
        found.append(as_float(c[0] / scale**i))
        y = [y[k] - found[i] * v**i for k, v in enumerate(x)]
    return found


def center(f, low, high):
    """A float near the middle where f is very nearly a float: the constant term then has no error."""
    start = bits_of((low + high) / 2)
    with mp.workdps(25):
        def distance(x):
            return abs(as_float(f(x)) / f(x) - 1)
        x = min((float_of(start + 3 * k) for k in range(-1500, 1500)), key=distance)
        return x, as_float(f(x))


def segments(name, what, f, limit, head, slope=0):
    """A table for avx512.h: f(a) = c0 + d (c1 + ... d (c5)), d = a - middle, for each quarter of an
    octave from 1/8 to limit; entry 15 is for [0, 1/8], where f = slope a + head + ...  An entry's
    index is bits 21 to 25 of a, so the exponent's low bits and the mantissa's first two."""
    columns, worst = [[mpf(0)] * 7 for _ in range(32)], mpf(0)
    given = sum(1 for _ in head)

    def rest(x):
        with mp.workdps(120):
            return (f(x) - slope * x - sum(v * x**p for p, v in enumerate(head))) / x**given
    tail = least_squares(rest, lambda x: x**given / f(x), mpf(0), mpf("0.125"), 6 - given)
    columns[15] = [mpf(0)] + (head + tail)
    quarter = 124 * 4
    while float_of(quarter << 21) < limit:
        low, high = float_of(quarter << 21), min(float_of((quarter + 1) << 21), limit)
        middle, c0 = center(f, low, high)
        c = [c0] + least_squares(lambda d: (f(middle + d) - c0) / d,
                                 lambda d: abs(d) / f(middle + d), low - middle, high - middle, 5)
        columns[quarter & 31] = [middle] + c
        for k in range(101):
            d = low - middle + (high - low) * k / 100
            y = f(middle + d)
            worst = max(worst, abs(sum(v * d**p for p, v in enumerate(c)) / y - 1))
        quarter += 1
    print(f"/* {what}: 2^{float(m.log(worst, 2)):.1f} */")
    print(f"static const float {name}[7][32] = {{")
    for r in range(7):
        print_row([c[r] for c in columns])
    print("};")


def print_row(values):
    words = [re.sub(r"\.?0*p", "p", float(v).hex()) + "f" if v else "0" for v in values]
    print(textwrap.fill("{ " + ", ".join(words) + " },", 100, initial_indent="    ",
                        subsequent_indent="      "))


def tables():
    print("tables.h:")
    two_to = [mpf(2) ** (mpf(j) / 16) for j in range(16)]
    print("/* 2^(j / 16), and what rounding it to float lost */\nstatic const float ox_exp2_table[2][16] = {")
    print_row([as_float(v) for v in two_to])
    print_row([as_float(v - as_float(v)) for v in two_to])
    print("};")
    # where a < 1/8, avx512.h adds a times the slope at 0 itself: c1 is what rounding the slope lost
    segments("ox_tanh_table", "tanh a", m.tanh, mpf("9.02"), [mpf(0), mpf(0)], 1)
    slope = 2 / m.sqrt(m.pi)
    segments("ox_erf_table", "erf a", m.erf, mpf("3.93"), [mpf(0), slope - as_float(slope)],
             as_float(slope))
    segments("ox_gelu_table", "a exp(a^2 / 2) erfc(a / sqrt 2) / 2",
             lambda a: a * m.exp(a * a / 2) * m.erfc(a / m.sqrt(2)) / 2, mpf("14.6"),
             [mpf(0), mpf("0.5")])


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
    tables()


if __name__ == "__main__":
    main()

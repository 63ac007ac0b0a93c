"""Prints the expected values of diebold_mariano_test.cpp. Needs numpy and scipy.

The Diebold-Mariano statistic is written from the papers with numpy, apart from the code under test; its p-values are scipy's.
"""
import numpy as np
from scipy import stats


def losses(n):
    """Two loss series without a random generator: the test makes the same."""
    t = np.arange(n)
    a = 1 + 0.5 * np.sin(0.9 * t) + 0.3 * np.cos(2.3 * t * t)
    b = 1.1 + 0.4 * np.sin(0.7 * t + 1) + 0.2 * np.cos(1.7 * t * t)
    return a, b


def diebold_mariano(a, b, h):
    d = a - b
    n, mean = len(d), d.mean()
    gamma = [np.dot(d[k:] - mean, d[: n - k] - mean) / n for k in range(h)]
    variance = (gamma[0] + 2 * sum(gamma[1:])) / n
    hln = np.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
    s = hln * mean / np.sqrt(variance)
    return s, 2 * stats.t.cdf(-abs(s), n - 1)


print("// diebold-mariano: n, h, statistic, p")
for n, h in ((40, 1), (40, 3), (200, 2)):
    s, p = diebold_mariano(*losses(n), h)
    print(f"{{{n}, {h}, {float(s)!r}, {float(p)!r}}},")

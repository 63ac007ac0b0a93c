"""Writes cumulative.inc: cumulative ops and their gradients as PyTorch computes them in float64.  python3 tests/golden/make_cumulative.py"""
import torch

from cases import Cases, made

c = Cases(__file__)
x = made(1, 3, 5, 2)
for axis in (0, 1, 2):
    c.add(f"cumsum_{axis}", lambda t: t.cumsum(axis), x)
    c.add(f"cumsum_reverse_{axis}", lambda t: t.flip(axis).cumsum(axis).flip(axis), x)
    c.add(f"cumprod_{axis}", lambda t: t.cumprod(axis), x)
    c.add(f"logcumsumexp_{axis}", lambda t: t.logcumsumexp(axis), x)
    c.add(f"cummax_{axis}", lambda t: t.cummax(axis)[0], x)
    c.add(f"cummax_indices_{axis}", lambda t: t.cummax(axis)[1], x, gradient=False)
    c.add(f"cummin_{axis}", lambda t: t.cummin(axis)[0], x)
    c.add(f"cummin_indices_{axis}", lambda t: t.cummin(axis)[1], x, gradient=False)
zeros = x.clone().reshape(-1)
zeros[[3, 4, 11, 20, 24]] = 0
c.add("cumprod_zeros", lambda t: t.cumprod(1), zeros.reshape(x.shape))
c.add("logcumsumexp_far", lambda t: t.logcumsumexp(1), x * 300)


def recurrence(a, b):
    h, out = torch.zeros_like(b[:, 0]), []
    for i in range(b.shape[1]):
        h = a[:, i] * h + b[:, i]
        out.append(h)
    return torch.stack(out, 1)


c.add("recurrence", recurrence, x, made(2, 3, 5, 2))
c.add("recurrence_reverse", lambda a, b: recurrence(a.flip(1), b.flip(1)).flip(1), x, made(2, 3, 5, 2))
c.write()

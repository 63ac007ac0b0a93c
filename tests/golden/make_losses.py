"""Writes losses.inc: losses and their gradients as PyTorch computes them in float64.

Run: python3 tests/golden/make_losses.py    (needs PyTorch and NumPy; the figures in the tree come from PyTorch 2.15)

Inputs: element i of tensor number k is sin(1.3 i + k) (see `made`); labels are (5 i + i // 3) % K. What PyTorch lacks is written out here:
focal loss (Lin et al. 2017), Tversky (Salehi et al. 2017), pinball, relative L2 and H1, CRPS of a normal distribution by integrating
(F(x) - 1[x >= y])^2, CRPS of an ensemble by its double sum.
"""
import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F


def made(k, *shape):
    n = int(np.prod(shape))
    return torch.tensor([math.sin(1.3 * i + k) for i in range(n)], dtype=torch.float64).reshape(shape)


def labels(classes, *shape):
    n = int(np.prod(shape))
    return torch.tensor([(5 * i + i // 3) % classes for i in range(n)]).reshape(shape)


def derivative(t, axis, h, periodic):
    if periodic:
        return (torch.roll(t, -1, axis) - torch.roll(t, 1, axis)) / (2 * h)
    return torch.gradient(t, spacing=h, dim=axis)[0]


def h1(x, t, spacing, periodic):
    square = lambda u: (u**2).sum((1, 2, 3)) + sum((derivative(u, a + 1, spacing[a], periodic) ** 2).sum((1, 2, 3)) for a in range(2))
    return (square(x - t) / square(t)).sqrt().mean()


def tversky(z, y, alpha, beta, smooth, background):
    p, t = z.softmax(-1), F.one_hot(y, z.shape[-1]).double()
    if not background:
        p, t = p[..., 1:], t[..., 1:]
    tp, fp, fn = ((u).flatten(1, -2).sum(1) for u in (p * t, p * (1 - t), (1 - p) * t))
    return (1 - (tp + smooth) / (tp + alpha * fp + beta * fn + smooth)).mean()


def focal(z, y, gamma, alpha):
    logp = z.log_softmax(-1).gather(-1, y[..., None])[..., 0]
    return (-alpha[y] * (1 - logp.exp()) ** gamma * logp).mean()


def crps_integral(mu, sigma, y):
    """By the trapezoidal rule on fine grids below and above y, where it jumps; differentiable in mu and sigma."""
    u = torch.linspace(0, 1, 200001, dtype=torch.float64)
    cdf = lambda x: 0.5 * (1 + torch.erf((x - mu[:, None]) / (sigma[:, None] * math.sqrt(2))))
    below = y[:, None] - 30 + 30 * u
    above = y[:, None] + 30 * u
    return (torch.trapezoid(cdf(below) ** 2, below) + torch.trapezoid((1 - cdf(above)) ** 2, above)).mean()


x, t, z, y = made(1, 2, 3, 4), made(2, 2, 3, 4), made(3, 2, 3, 4), labels(4, 2, 3)
w = torch.tensor([0.5, 1.0, 2.0, 1.5], dtype=torch.float64)
positive = 0.5 + made(4, 2, 3, 4) ** 2
counts = labels(6, 2, 3, 4).double()
channels_first = lambda v: v.movedim(-1, 1)
ignored = y.clone()
ignored[0, 1] = -100
masked = z.clone()
masked[0, 0, (int(y[0, 0]) + 1) % 4] = -math.inf
q = torch.tensor([0.1, 0.5, 0.8, 0.95], dtype=torch.float64)
target3 = made(5, 2, 3)
fields = made(1, 2, 5, 4, 2), made(2, 2, 5, 4, 2)
members = made(6, 2, 3, 4)
mu, sigma, obs = made(7, 6), 0.5 + made(8, 6) ** 2, made(9, 6)

CASES = {
    "l1": (x, lambda v: F.l1_loss(v, t)),
    "huber": (x, lambda v: F.huber_loss(v, t, delta=0.7)),
    "huber_sum": (x, lambda v: F.huber_loss(v, t, delta=0.7, reduction="sum")),
    "quantile": (x, lambda v: torch.maximum(q * (target3[..., None] - v), (q - 1) * (target3[..., None] - v)).mean()),
    "relative_l2": (x, lambda v: ((v - t).flatten(1).norm(dim=1) / t.flatten(1).norm(dim=1)).mean()),
    "relative_h1": (fields[0], lambda v: h1(v, fields[1], (0.5, 2.0), False)),
    "relative_h1_periodic": (fields[0], lambda v: h1(v, fields[1], (0.5, 2.0), True)),
    "cross_entropy": (z, lambda v: F.cross_entropy(channels_first(v), y)),
    "cross_entropy_all": (z, lambda v: F.cross_entropy(channels_first(v), ignored, weight=w, label_smoothing=0.2)),
    "cross_entropy_sum": (z, lambda v: F.cross_entropy(channels_first(v), ignored, weight=w, reduction="sum")),
    "cross_entropy_masked": (masked, lambda v: F.cross_entropy(channels_first(v), y)),
    "focal": (z, lambda v: focal(v, y, 2.0, w)),
    "bce": (z, lambda v: F.binary_cross_entropy_with_logits(v, t.abs())),
    "bce_weight": (z, lambda v: F.binary_cross_entropy_with_logits(v, t.abs(), pos_weight=w)),
    "tversky": (z, lambda v: tversky(v, y, 0.3, 0.7, 1e-5, False)),
    "dice": (z, lambda v: tversky(v, y, 0.5, 0.5, 0.5, True)),
    "poisson": (x, lambda v: F.poisson_nll_loss(v, counts)),
    "poisson_full": (x, lambda v: -torch.distributions.Poisson(v.exp()).log_prob(counts).mean()),
    "gaussian": (x, lambda v: F.gaussian_nll_loss(v, t, positive, full=True)),
    "gaussian_variance": (positive, lambda v: F.gaussian_nll_loss(x, t, v)),
    "student_t": (x, lambda v: -torch.distributions.StudentT(torch.tensor(3.5).double(), v, positive).log_prob(t).mean()),
    "student_t_degrees": (positive, lambda v: -torch.distributions.StudentT(v + 1.0, x, 1.5).log_prob(t).mean()),
    "crps_gaussian": (mu, lambda v: crps_integral(v, sigma, obs)),
    "crps_gaussian_deviation": (sigma, lambda v: crps_integral(mu, v, obs)),
    "crps_ensemble": (members, lambda v: ((v - target3[..., None]).abs().mean(-1) - (v[..., None] - v[..., None, :]).abs().sum((-1, -2)) / 32).mean()),
    "crps_ensemble_fair": (members, lambda v: ((v - target3[..., None]).abs().mean(-1) - (v[..., None] - v[..., None, :]).abs().sum((-1, -2)) / 24).mean()),
    "kl": (z, lambda v: F.kl_div(v.log_softmax(-1).flatten(0, 1), made(10, 2, 3, 4).softmax(-1).flatten(0, 1), reduction="batchmean")),
}

out = pathlib.Path(__file__).with_name("losses.inc")
with out.open("w") as f:
    f.write(f"// Made by make_losses.py with PyTorch {torch.__version__.split('+')[0]}: the loss, then its gradient with respect to the first input.\n")
    for name, (start, loss) in CASES.items():
        v = start.clone().requires_grad_()
        value = loss(v)
        value.backward()
        f.write(f'{{"{name}", {value.item():.15g}, {{{", ".join(f"{g:.12g}" for g in v.grad.flatten().tolist())}}}}},\n')

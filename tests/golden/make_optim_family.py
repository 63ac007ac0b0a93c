"""Writes optim_family.inc: trajectories over 100 steps of a matrix [3, 4] and a vector [3] under the other optimisers.

Run: python3 tests/golden/make_optim_family.py    (needs PyTorch and NumPy; the figures in the tree come from PyTorch 2.15)

Adam, RMSprop and Adafactor are PyTorch's, in float32. LAMB (You et al. 2020, algorithm 2) and Muon (Jordan et al. 2024; PyTorch's iterates
in bfloat16) are written out here in float64 from their papers. Gradients: g[i] = sin(0.1 t + i^2) + 0.3 w[i] over the
matrix, row major, and cos(0.2 t - i) - 0.1 b[i]; the learning rate is 0.05 / (1 + 0.01 t).
"""
import math
import pathlib

import numpy as np
import torch


def starts():
    return np.array([math.sin(1.0 + i) for i in range(12)]).reshape(3, 4), np.array([2 * math.sin(1.0 + i) for i in range(3)])


def gradients(t, w, b):
    gw = np.array([math.sin(0.1 * t + i * i) for i in range(12)]).reshape(3, 4) + 0.3 * w
    gb = np.array([math.cos(0.2 * t - i) for i in range(3)]) - 0.1 * b
    return gw, gb


def rate(t):
    return 0.05 / (1 + 0.01 * t)


def pytorch(make, clip_value=0.0, vectors=True):
    w0, b0 = starts()
    w, b = (torch.nn.Parameter(torch.tensor(x, dtype=torch.float32)) for x in (w0, b0))
    optimiser = make([w, b])
    for t in range(1, 101):
        for group in optimiser.param_groups:
            group["lr"] = rate(t)
        w.grad, b.grad = (torch.tensor(g, dtype=torch.float32) for g in gradients(t, w.detach().double().numpy(), b.detach().double().numpy()))
        if clip_value:
            torch.nn.utils.clip_grad_value_([w, b], clip_value)
        optimiser.step()
        yield t, w.detach().flatten().tolist() + b.detach().tolist()


def lamb(decay=0.1, beta1=0.9, beta2=0.999, eps=1e-6):
    p = list(starts())
    m, v = [np.zeros_like(x) for x in p], [np.zeros_like(x) for x in p]
    for t in range(1, 101):
        for k, g in enumerate(gradients(t, *p)):
            m[k] = beta1 * m[k] + (1 - beta1) * g
            v[k] = beta2 * v[k] + (1 - beta2) * g * g
            r = m[k] / (1 - beta1**t) / (np.sqrt(v[k] / (1 - beta2**t)) + eps) + decay * p[k]
            a, c = np.linalg.norm(p[k]), np.linalg.norm(r)
            p[k] = p[k] - rate(t) * (a / c if a > 0 and c > 0 else 1) * r
        yield t, p[0].flatten().tolist() + p[1].tolist()


def muon(decay=0.1, momentum=0.95, beta1=0.9, beta2=0.95, eps=1e-8):
    w, b = starts()
    u, m, v = np.zeros_like(w), np.zeros_like(b), np.zeros_like(b)
    for t in range(1, 101):
        gw, gb = gradients(t, w, b)
        u = momentum * u + (1 - momentum) * gw
        x = (1 - momentum) * gw + momentum * u
        x = x / max(np.linalg.norm(x), 1e-7)
        for _ in range(5):
            a = x @ x.T
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
        w = w * (1 - rate(t) * decay) - rate(t) * math.sqrt(max(1, 3 / 4)) * x
        m, v = beta1 * m + (1 - beta1) * gb, beta2 * v + (1 - beta2) * gb * gb
        b = b * (1 - rate(t) * decay) - rate(t) * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
        yield t, w.flatten().tolist() + b.tolist()


CASES = {
    "adam": pytorch(lambda p: torch.optim.Adam(p)),
    "adam_decay_value": pytorch(lambda p: torch.optim.Adam(p, weight_decay=0.1, betas=(0.8, 0.99)), clip_value=0.5),
    "rmsprop": pytorch(lambda p: torch.optim.RMSprop(p)),
    "rmsprop_centred": pytorch(lambda p: torch.optim.RMSprop(p, alpha=0.9, momentum=0.8, centered=True, weight_decay=0.01)),
    "adafactor": pytorch(lambda p: torch.optim.Adafactor(p)),
    "adafactor_decay": pytorch(lambda p: torch.optim.Adafactor(p, weight_decay=0.1, beta2_decay=-0.6, d=1.5)),
    "lamb": lamb(),
    "muon": muon(),
}

out = pathlib.Path(__file__).with_name("optim_family.inc")
with out.open("w") as f:
    f.write(f"// Made by make_optim_family.py with PyTorch {torch.__version__.split('+')[0]}: step, then the 12 + 3 parameters after it.\n")
    for name, trajectory in CASES.items():
        f.write(f'{{"{name}", {{\n')
        for t, values in trajectory:
            if t in (1, 2, 10, 100):
                f.write(f"  {{{t}, {{{', '.join(f'{v:.9g}' for v in values)}}}}},\n")
        f.write("}},\n")

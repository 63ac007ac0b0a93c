"""Writes optim.inc: trajectories of SGD and AdamW over 100 steps as PyTorch computes them (float32, CPU).

Run: python3 tests/golden/make_optim.py    (needs PyTorch; the figures in the tree come from PyTorch 2.15)

The objective has a closed form that both sides evaluate alike: for parameters w of 7 and b of 3 elements the gradient is
given outright, g_w[i] = sin(0.1 t + i) + 0.3 w[i], g_b[i] = cos(0.2 t - i) - 0.1 b[i] (t = step, counted from 1), computed
in float32 from float64 sines. The learning rate falls as 0.05 / (1 + 0.01 t).
"""
import math
import pathlib

import torch

CASES = {
    "sgd_plain": dict(kind="sgd", lr=0, momentum=0.0, weight_decay=0.0, nesterov=False, clip=0),
    "sgd_momentum_decay": dict(kind="sgd", lr=0, momentum=0.9, weight_decay=0.01, nesterov=False, clip=0),
    "sgd_nesterov_clip": dict(kind="sgd", lr=0, momentum=0.99, weight_decay=3e-5, nesterov=True, clip=1.5),
    "adamw": dict(kind="adamw", lr=0, weight_decay=0.01, clip=0),
    "adamw_decay_clip": dict(kind="adamw", lr=0, weight_decay=0.1, clip=0.7),
}


def start(n, factor):
    return torch.tensor([factor * math.sin(1.0 + i) for i in range(n)], dtype=torch.float32)


def trajectory(case):
    case = dict(case)
    kind, clip = case.pop("kind"), case.pop("clip")
    w, b = torch.nn.Parameter(start(7, 1.0)), torch.nn.Parameter(start(3, 2.0))
    optimiser = (torch.optim.SGD if kind == "sgd" else torch.optim.AdamW)([w, b], **case)
    rows = []
    for t in range(1, 101):
        for group in optimiser.param_groups:
            group["lr"] = 0.05 / (1 + 0.01 * t)
        s = torch.tensor([math.sin(0.1 * t + i) for i in range(7)], dtype=torch.float32)
        c = torch.tensor([math.cos(0.2 * t - i) for i in range(3)], dtype=torch.float32)
        w.grad, b.grad = s + 0.3 * w.detach(), c - 0.1 * b.detach()
        if clip:
            torch.nn.utils.clip_grad_norm_([w, b], clip)
        optimiser.step()
        if t in (1, 2, 10, 100):
            rows.append((t, w.detach().tolist() + b.detach().tolist()))
    return rows


out = pathlib.Path(__file__).with_name("optim.inc")
with out.open("w") as f:
    f.write(f"// Made by make_optim.py with PyTorch {torch.__version__.split('+')[0]}: step, then the 7 + 3 parameters after it.\n")
    for name, case in CASES.items():
        f.write(f'{{"{name}", {{\n')
        for t, values in trajectory(case):
            f.write(f"  {{{t}, {{{', '.join(f'{v:.9g}' for v in values)}}}}},\n")
        f.write("}},\n")

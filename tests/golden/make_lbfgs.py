"""Writes lbfgs.inc: trajectories of PyTorch's LBFGS in float64, 100 iterations at most, and loss_scale.inc: scales of its GradScaler.

Run: python3 tests/golden/make_lbfgs.py    (needs PyTorch; the figures in the tree come from PyTorch 2.15)

Problems: least squares |A x - A x0|^2 / 2 with A[i][j] = sin(1 + 3 i + i j), 9 x 6, x0[j] = j - 2, from 0; Rosenbrock's valley in 2 and in 8
dimensions from (-1.2, 1, -1.2, 1, ...). After each step(): iterations, evaluations, x.
"""
import math
import pathlib

import torch

torch.set_default_dtype(torch.float64)
A = torch.tensor([[math.sin(1 + 3 * i + i * j) for j in range(6)] for i in range(9)])
B = A @ torch.tensor([j - 2.0 for j in range(6)])


def squares(x):
    r = A @ x - B
    return (r * r).sum() * 0.5


def valley(x):
    a, b = x[:-1], x[1:]
    d, e = b - a * a, 1 - a
    return (d * d).sum() * 100 + (e * e).sum()


CASES = {
    "squares": (squares, torch.zeros(6), 5, dict(max_iter=20, line_search_fn="strong_wolfe")),
    "squares_fixed": (squares, torch.zeros(6), 5, dict(max_iter=20, lr=0.1, history_size=4)),
    "valley_2": (valley, torch.tensor([-1.2, 1.0]), 5, dict(max_iter=20, line_search_fn="strong_wolfe")),
    "valley_8": (valley, torch.tensor([-1.2, 1.0] * 4), 10, dict(max_iter=10, max_eval=40, history_size=5, line_search_fn="strong_wolfe")),
}
here = pathlib.Path(__file__)
version = torch.__version__.split("+")[0]
with here.with_name("lbfgs.inc").open("w") as f:
    f.write(f"// Made by make_lbfgs.py with PyTorch {version}: after each step, iterations, evaluations, x.\n")
    for name, (loss_of, start, steps, options) in CASES.items():
        x = torch.nn.Parameter(start.clone())
        o = torch.optim.LBFGS([x], **options)

        def closure():
            o.zero_grad()
            loss = loss_of(x)
            loss.backward()
            return loss

        f.write(f'{{"{name}", {{\n')
        for _ in range(steps):
            o.step(closure)
            s = o.state[x]
            f.write(f"  {{{s['n_iter']}, {s['func_evals']}, {{{', '.join(f'{v:.17g}' for v in x.detach().tolist())}}}}},\n")
        f.write("}},\n")

# Steps that overflow, by number; growth after 3 good ones. A first scale near the end of float32 shows that it does not grow past it.
BAD = {1, 2, 7, 12, 13, 14, 30}
with here.with_name("loss_scale.inc").open("w") as f:
    f.write(f"// Made by make_lbfgs.py with PyTorch {version}: scale after each of 40 steps, for two first scales.\n")
    for first in (65536.0, 2.0**126):
        w = torch.nn.Parameter(torch.zeros(3, dtype=torch.float32))
        o = torch.optim.SGD([w], lr=1.0)
        scaler = torch.amp.GradScaler("cpu", init_scale=first, growth_interval=3)
        scaler.scale(torch.zeros(1, dtype=torch.float32))  # makes the scale
        scales = []
        for step in range(1, 41):
            w.grad = torch.tensor([0.0, math.inf if step in BAD else 0.0, 0.0], dtype=torch.float32)
            scaler.step(o)
            scaler.update()
            scales.append(scaler.get_scale())
        f.write("{" + ", ".join(f"{s:.17g}" for s in scales) + "},\n")

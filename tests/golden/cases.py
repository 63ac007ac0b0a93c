"""What the make_*.py of ops share: inputs, and cases written as {"name", {values}, {{gradient of each input}}}.

Element i of input number k is sin(1.7 i + k) * 1.5 + 0.25 k, as check::made gives it; the gradient is that of sum(y * made(11)).
"""
import pathlib

import numpy as np
import torch

torch.set_default_dtype(torch.float64)


def made(k, *shape):
    i = torch.arange(int(np.prod(shape)), dtype=torch.float64)
    return (torch.sin(1.7 * i + k) * 1.5 + 0.25 * k).reshape(shape)


def braces(values):
    return "{" + ", ".join("NAN" if v != v else ("-" if v < 0 else "") + "INFINITY" if abs(v) == float("inf") else f"{v:.13g}" for v in values) + "}"


def flat(t):
    return torch.as_tensor(t).detach().to(torch.float64).reshape(-1).tolist()


class Cases:
    def __init__(self, script):
        self.path = pathlib.Path(script).with_suffix("").name.replace("make_", "")
        self.folder = pathlib.Path(script).parent
        self.lines = [f"// Made by make_{self.path}.py with PyTorch {torch.__version__.split('+')[0]} and NumPy {np.__version__}."]

    def add(self, name, f, *inputs, gradient=True):
        inputs = [t.clone().requires_grad_(gradient) for t in inputs]
        y = f(*inputs)
        gradients = []
        if gradient:
            gradients = [braces(flat(g)) for g in torch.autograd.grad((y * made(11, *y.shape)).sum(), inputs)]
        self.lines.append(f'{{"{name}", {braces(flat(y))}, {{{", ".join(gradients)}}}}},')

    def write(self):
        (self.folder / f"{self.path}.inc").write_text("\n".join(self.lines) + "\n")

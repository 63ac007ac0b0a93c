#!/usr/bin/env python3
"""Writes linalg.inc: linear algebra by PyTorch in double, which tests/core/ops/linalg_test.cpp compares with.

    python tests/golden/make_linalg.py > tests/golden/linalg.inc
"""
import torch

torch.set_default_dtype(torch.float64)


def irregular(k, *shape):
    """Element i is sin(0.37 i^2 + 1.7 i + k): full rank, and the same in the test."""
    n = 1
    for s in shape:
        n *= s
    i = torch.arange(n, dtype=torch.float64)
    return torch.sin(0.37 * i * i + 1.7 * i + k).reshape(shape)


def emit(name, tensor):
    values = ", ".join(repr(float(v)) for v in tensor.detach().reshape(-1))
    print(f"const std::vector<double> {name}{{{values}}};")


print("// Written by tests/golden/make_linalg.py with PyTorch", torch.__version__.split("+")[0])
L = torch.linalg
a, b = irregular(1, 2, 4, 4), irregular(2, 2, 4, 3)
spd = a @ a.mT + 0.5 * torch.eye(4)
tall, wide, low = irregular(3, 2, 5, 3), irregular(4, 2, 3, 5), irregular(5, 5, 2) @ irregular(6, 2, 4)
emit("kCholesky", L.cholesky(spd))
emit("kSolve", L.solve(a, b))
emit("kInverse", L.inv(a))
emit("kDet", L.det(a))
emit("kSign", L.slogdet(a)[0])
emit("kLogAbs", L.slogdet(a)[1])
for name, m in (("Tall", tall), ("Wide", wide)):
    q, r = L.qr(m)
    sign = torch.sign(torch.diagonal(r, dim1=-2, dim2=-1))
    emit(f"kQ{name}", q * sign[..., None, :])
    emit(f"kR{name}", r * sign[..., :, None])
    u, s, vh = L.svd(m, full_matrices=False)
    sign = torch.sign(torch.gather(u, -2, u.abs().argmax(-2, keepdim=True)))
    emit(f"kU{name}", u * sign)
    emit(f"kS{name}", s)
    emit(f"kVh{name}", vh * sign.mT)
w, v = L.eigh(spd)
emit("kW", w)
emit("kV", v * torch.sign(torch.gather(v, -2, v.abs().argmax(-2, keepdim=True))))
emit("kPinv", L.pinv(low, rcond=1e-9))
emit("kLstsqTall", L.lstsq(tall, irregular(7, 2, 5, 2), driver="gelsd").solution)
emit("kLstsqWide", L.lstsq(wide, irregular(8, 2, 3, 2), driver="gelsd").solution)
emit("kLstsqLow", L.lstsq(low, irregular(9, 5, 2), rcond=1e-9, driver="gelsd").solution)
emit("kNorms", torch.stack([L.matrix_norm(tall, o) for o in ("fro", "nuc", 2)]))
emit("kPower", L.matrix_power(a, 5))
emit("kPowerMinus", L.matrix_power(a, -2))
emit("kExp", L.matrix_exp(a))
emit("kExpLarge", L.matrix_exp(8 * a))

# gradients of functions that do not depend on the signs of vectors
for name, f, x in (
    ("Svd", lambda m: (lambda f: (f[0] @ torch.diag_embed(torch.sin(f[1])) @ f[2]).square().sum() + (f[0] ** 4).sum())(L.svd(m, full_matrices=False)), tall),
    ("Eigh", lambda m: (lambda f: (f[1] ** 4 * f[0][..., None, :]).sum())(L.eigh(m)), spd),
    ("Pinv", lambda m: L.pinv(m).square().sum(), tall),
    ("Exp", lambda m: L.matrix_exp(m).square().sum(), a),
):
    x = x.clone().requires_grad_()
    emit(f"kGradient{name}", torch.autograd.grad(f(x), x)[0])

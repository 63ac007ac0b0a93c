#!/usr/bin/env python3
"""Complex arithmetic, transforms and the spectral convolution by PyTorch in double: writes spectral.inc.

    python make_spectral.py > spectral.inc
"""
import math
import torch

torch.set_default_dtype(torch.float64)


def made(k, shape):
    n = math.prod(shape)
    return torch.tensor([math.sin(1.7 * i + k) for i in range(n)]).reshape(shape)


def show(name, t):
    if t.is_complex():
        t = torch.view_as_real(t.resolve_conj())
    print(f'{{"{name}", {{{", ".join(f"{v:.17g}" for v in t.reshape(-1).tolist())}}}}},')


z, w = torch.complex(made(0, (2, 3)), made(1, (2, 3))), torch.complex(made(2, (2, 3)), made(3, (2, 3)))
for name in ["exp", "log", "sqrt", "rsqrt", "square", "sin", "cos", "sinh", "cosh", "tanh"]:
    show(name, getattr(torch, name)(z))
show("pow", z ** 2.7)
show("mul", z * w)
show("div", z / w)
show("abs", z.abs())
show("angle", z.angle())
show("matmul", z @ w.T)

for n in (5, 6):
    x = made(4, (2, n, 3))
    for norm in ("backward", "ortho", "forward"):
        show(f"fft {n} {norm}", torch.fft.fftn(torch.complex(x, made(5, x.shape)), dim=(0, 1), norm=norm))
        show(f"ifft {n} {norm}", torch.fft.ifftn(torch.complex(x, made(5, x.shape)), dim=(0, 1), norm=norm))
        show(f"rfft {n} {norm}", torch.fft.rfftn(x, dim=(0, 1), norm=norm))
        show(f"irfft {n} {norm}", torch.fft.irfftn(torch.fft.rfftn(x, dim=(0, 1)) * 0.3, s=(2, n), dim=(0, 1), norm=norm))
show("frequencies 5", torch.fft.fftfreq(5, 0.5))
show("frequencies 6", torch.fft.fftfreq(6, 0.5))
show("shift 5", torch.fft.fftshift(torch.arange(5.0)))

# the layer of torch_reference.py, its two weights [2, in, out, m, m] as rows of one [2 m, m, in, out]
b, ci, co, h, wd, m = 2, 3, 2, 6, 7, 2
x = made(6, (b, h, wd, ci)).requires_grad_()
weight = made(7, (2 * m, m, ci, co, 2)).requires_grad_()
W = torch.view_as_complex(weight)
f = torch.fft.rfft2(x.permute(0, 3, 1, 2))
o = torch.zeros(b, co, h, wd // 2 + 1, dtype=f.dtype)
o[:, :, :m, :m] = torch.einsum("bixy,xyio->boxy", f[:, :, :m, :m], W[:m])
o[:, :, -m:, :m] = torch.einsum("bixy,xyio->boxy", f[:, :, -m:, :m], W[m:])
y = torch.fft.irfft2(o, s=(h, wd)).permute(0, 2, 3, 1)
(y * made(8, y.shape)).sum().backward()
show("spectral_conv", y)
show("spectral_conv dx", x.grad)
show("spectral_conv dw", weight.grad)

"""Writes ops.inc: the real ops of ops.hpp, and those of other headers that had no values yet, with their gradients as PyTorch computes them in float64.

python3 tests/golden/make_ops.py

A case is named by its op, with a word behind it where an op has several; core/golden_table_test.cpp finds it by that.
"""
import torch
import torch.nn.functional as F

from cases import Cases, made

c = Cases(__file__)


def positive(k, *shape):
    return made(k, *shape) ** 2 + 0.3


def unit(k, *shape):
    return (made(k, *shape) - 0.25 * k) * 0.6


# ---- elementwise
a, b, x, p, u = made(1, 2, 3), made(2, 3), made(1, 2, 3), positive(1, 2, 3), unit(1, 2, 3)
for name in ("add", "sub", "mul", "div", "maximum", "minimum", "atan2", "hypot"):
    c.add(name, getattr(torch, name), a, b)
c.add("pow", torch.pow, p, b)
c.add("add scalar", lambda t: t + 0.7, x)
c.add("mul scalar", lambda t: t * -1.7, x)
c.add("pow scalar", lambda t: t**2.7, p)
for name in ("neg", "abs", "exp", "expm1", "square", "sin", "cos", "tan", "atan", "sinh", "cosh", "tanh", "erf", "sigmoid", "relu"):
    c.add(name, getattr(torch, name), x)
for name in ("log", "log1p", "sqrt", "rsqrt", "lgamma"):
    c.add(name, getattr(torch, name), p)


class Digamma(torch.autograd.Function):
    """torch.digamma's own gradient has ten digits (its trigamma takes three terms from x > 6 on); Hurwitz's zeta(2, x) is the same function with sixteen."""

    @staticmethod
    def forward(ctx, t):
        ctx.save_for_backward(t)
        return torch.digamma(t)

    @staticmethod
    def backward(ctx, d):
        return d * torch.special.zeta(torch.tensor(2.0, dtype=d.dtype), ctx.saved_tensors[0])


c.add("digamma", Digamma.apply, p)
c.add("asin", torch.asin, u)
c.add("acos", torch.acos, u)
c.add("leaky_relu", lambda t: F.leaky_relu(t, 0.1), x)
c.add("elu", lambda t: F.elu(t, 0.7), x)
c.add("gelu", F.gelu, x)
c.add("gelu_tanh", lambda t: F.gelu(t, approximate="tanh"), x)
c.add("silu", F.silu, x)
c.add("softplus", F.softplus, x)
c.add("clamp", lambda t: t.clamp(-0.5, 1.1), x)
c.add("where", lambda s, t: torch.where(made(3, 2, 3) > 0.5, s, t), a, b)
for name, torch_name in (("equal", "eq"), ("less", "lt"), ("greater", "gt"), ("not_equal", "ne"), ("less_equal", "le"), ("greater_equal", "ge")):
    c.add(name, lambda s, t: getattr(torch, torch_name)(s.floor(), t.floor()), a, b, gradient=False)
c.add("is_finite", lambda t: torch.isfinite((1000 * t).exp()), x, gradient=False)
c.add("is_nan", lambda t: torch.isnan(t.log()), x, gradient=False)
for name in ("sign", "floor", "ceil"):
    c.add(name, getattr(torch, name), x, gradient=False)
c.add("round", lambda t: torch.round(t.floor() * 0.5), made(1, 3, 5), gradient=False)

# ---- reductions
v = made(1, 2, 3, 4)
for name, f in (("sum", torch.sum), ("mean", torch.mean), ("var", lambda *g, **k: torch.var(*g, unbiased=False, **k))):
    c.add(name, f, v)
    c.add(f"{name} axes", lambda t: f(t, dim=(0, 2)), v)
    c.add(f"{name} keep", lambda t: f(t, dim=(1,), keepdim=True), v)
for name in ("max", "min"):
    c.add(name, lambda t: getattr(torch, name)(t, 1)[0], v)
    c.add(f"{name} keep", lambda t: getattr(torch, name)(t, -1, keepdim=True)[0], v)
c.add("argmax", lambda t: t.argmax(1), v, gradient=False)
c.add("sum_to", lambda t: t.sum_to_size(3, 1), v)

c.add("global_avg_pool", lambda t: F.adaptive_avg_pool2d(t.movedim(-1, 1), 1).flatten(1), made(1, 2, 3, 2, 4))
c.add("global_max_pool", lambda t: F.adaptive_max_pool2d(t.movedim(-1, 1), 1).flatten(1), made(1, 2, 3, 2, 4))
c.add("l2_loss", F.mse_loss, a, made(2, 2, 3))
c.add("l2_loss sum", lambda s, t: F.mse_loss(s, t, reduction="sum"), a, made(2, 2, 3))

# ---- shape
c.add("concat", lambda s, t: torch.cat([s, t, s], 1), made(1, 2, 3, 2), made(2, 2, 1, 2))
c.add("split", lambda t: torch.cat(t.split([1, 2, 1], -1)[::-1], -1), made(1, 3, 4))
c.add("pad", lambda t: F.pad(t, (2, 1, 0, 2, 1, 0), value=0.5), made(1, 2, 3, 2))
c.add("flip", lambda t: t.flip(0, -1), v)
c.add("one_hot", lambda t: F.one_hot(torch.tensor([[2, 0], [3, 3]]), 4), x, gradient=False)
c.add("reshape", lambda t: t.reshape(4, -1) ** 2, v)
c.add("permute", lambda t: t.permute(2, 0, 1) ** 2, v)
c.add("transpose", lambda t: t.transpose(0, -1) ** 2, v)
c.add("narrow", lambda t: t.narrow(2, 1, 2) ** 2, v)
c.add("select", lambda t: t.select(1, 2) ** 2, v)
c.add("slice", lambda t: t[:, 1:6:2] ** 2, made(1, 2, 7, 2))
c.add("slice negative", lambda t: t[..., -3:-1] ** 2, v)
c.add("slice beyond", lambda t: t[-99:99:3] ** 2, made(1, 8, 2))
c.add("expand", lambda t: t.expand(4, 2, 3) ** 2, made(1, 2, 1))
c.add("unsqueeze", lambda t: t.unsqueeze(1) ** 2, v)
c.add("squeeze", lambda t: t.squeeze(1) ** 2, made(1, 2, 1, 3))
c.add("contiguous", lambda t: t.transpose(0, 1).contiguous() ** 2, x)
c.add("to", lambda t: t.float().double() * t, x)
c.add("clone", lambda t: t.clone() ** 2, x)

# ---- products
c.add("matmul", torch.matmul, made(1, 3, 4), made(2, 4, 2))
c.add("matmul batch", torch.matmul, made(1, 2, 1, 3, 4), made(2, 2, 4, 2))
c.add("matmul row", torch.matmul, made(1, 4), made(2, 4, 2))
c.add("matmul column", torch.matmul, made(1, 3, 4), made(2, 4))
for name, f in (("relu", F.relu), ("gelu", F.gelu), ("gelu_tanh", lambda t: F.gelu(t, approximate="tanh"))):
    block = (made(1, 2, 3, 4), made(2, 5, 4) * 0.3, made(3, 5) - 0.75, made(4, 2, 5) * 0.3, made(5, 2))
    c.add(f"feed_forward {name}", lambda t, v1, s1, v2, s2: F.linear(f(F.linear(t, v1, s1)), v2, s2), *block)
c.add("linear", F.linear, made(1, 2, 3, 4), made(2, 5, 4), made(3, 5))
c.add("linear plain", F.linear, made(1, 3, 4), made(2, 5, 4))


# ---- convolution: channels last here, PyTorch's first
def convolution(name, f, x, weight, bias, **options):
    c.add(name, lambda t, w, *b: f(t.movedim(-1, 1), w.movedim(-1, 1), *b, **options).movedim(1, -1), x, weight, *bias)


INPUT = {1: (2, 7, 4), 2: (1, 5, 6, 4), 3: (1, 4, 5, 4, 2)}
KERNEL = {1: (3,), 2: (3, 2), 3: (2, 3, 2)}
for axes in (1, 2, 3):
    x, out = made(1, *INPUT[axes]), 2 if axes == 3 else 4
    into = x.shape[-1]
    for kind, options in (("plain", {}), ("strided", dict(stride=2, padding=1)), ("grouped", dict(groups=2)), ("dilated", dict(dilation=2, padding=1))):
        groups = options.get("groups", 1)
        f, back = (getattr(F, n + f"{axes}d") for n in ("conv", "conv_transpose"))
        convolution(f"conv {axes}d {kind}", f, x, made(2, out, *KERNEL[axes], into // groups), [made(3, out)], **options)
        small = made(1, 1, *[3, 2, 2][:axes], into)
        extra = dict(output_padding=1) if kind == "strided" else {}
        convolution(f"conv_transpose {axes}d {kind}", back, small, made(2, into, *KERNEL[axes], out // groups), [made(3, out)], **options, **extra)
convolution("conv 2d without bias", F.conv2d, made(1, *INPUT[2]), made(2, 3, 2, 2, 4), [])

# ---- recurrent cells, attention, moving channels into space and back
cell = made(1, 3, 2), made(2, 3, 2)
c.add("lstm_cell", lambda t, h, s, *w: torch.cat(torch.lstm_cell(t, (h, s), *w), 1), *cell, made(3, 3, 2), made(4, 8, 2), made(5, 8, 2), made(6, 8), made(7, 8))
c.add("gru_cell", torch.gru_cell, *cell, made(4, 6, 2), made(5, 6, 2), made(6, 6), made(7, 6))


def attend(qkv, **options):
    q, k, w = (t.transpose(1, 2) for t in qkv.unbind(2))
    return F.scaled_dot_product_attention(q, k, w, **options).transpose(1, 2)


c.add("self_attention", attend, made(1, 2, 3, 3, 2, 2))
c.add("self_attention causal", lambda t: attend(t, is_causal=True), made(1, 2, 3, 3, 2, 2))
# PyTorch has the factors innermost in the channels, ours has them outermost.
c.add("depth_to_space", lambda t: F.pixel_shuffle(t.reshape(1, 2, 3, 4, 2).transpose(-1, -2).flatten(-2).movedim(-1, 1), 2).movedim(1, -1), made(1, 1, 2, 3, 8))
c.add("space_to_depth", lambda t: F.pixel_unshuffle(t.movedim(-1, 1), 2).reshape(1, 2, 4, 2, 3).permute(0, 3, 4, 2, 1).flatten(-2), made(1, 1, 4, 6, 2))

# ---- complex numbers, by their parts
real, z = torch.view_as_real, torch.complex
re, im = made(1, 2, 3), made(2, 2, 3)
c.add("complex", lambda s, t: real(z(s, t) * z(s, t)), re, im)
c.add("view_as_real", lambda s, t: real(z(s, t)) ** 2, re, im)
c.add("view_as_complex", lambda t: real(torch.view_as_complex(t) ** 2), made(1, 3, 2))
c.add("polar", lambda s, t: real(torch.polar(s, t)), p, im)
c.add("real", lambda s, t: (z(s, t) ** 2).real, re, im)
c.add("imag", lambda s, t: (z(s, t) ** 2).imag, re, im)
c.add("conj", lambda s, t: real((z(s, t).conj() * z(s, t) * z(s, t)).resolve_conj()), re, im)
c.add("angle", lambda s, t: z(s, t).angle(), re, im)
c.add("fft", lambda s, t: real(torch.fft.fftn(z(s, t), dim=(0, 1))), re, im)
c.add("ifft", lambda s, t: real(torch.fft.ifftn(z(s, t), dim=(0, 1))), re, im)
c.add("rfft", lambda t: real(torch.fft.rfft(t)), made(1, 2, 6))
c.add("rfft odd", lambda t: real(torch.fft.rfft(t)), made(1, 2, 5))
c.add("irfft", lambda s, t: torch.fft.irfft(z(s, t), 4), re, im)
c.add("irfft odd", lambda s, t: torch.fft.irfft(z(s, t), 5), re, im)
c.add("fft_shift", lambda t: torch.fft.fftshift(t) ** 2, made(1, 3, 4))
c.add("ifft_shift", lambda t: torch.fft.ifftshift(t, 0) ** 2, made(1, 3, 4))
c.add("fft_frequencies", lambda t: torch.fft.fftfreq(5, 0.5), re, gradient=False)
c.add("rfft_frequencies", lambda t: torch.fft.rfftfreq(6, 0.5), re, gradient=False)
c.add("mode_product", lambda r, i, s, t: real(torch.einsum("nki,kio->nko", z(r, i), z(s, t))), made(1, 2, 3, 2), made(2, 2, 3, 2), made(3, 3, 2, 2), made(4, 3, 2, 2))

# ---- linear algebra
lower = lambda t: t.tril(-1) + 3 * torch.eye(3)
c.add("triangular_solve", lambda s, t: torch.linalg.solve_triangular(lower(s), t, upper=False), made(1, 3, 3), made(2, 3, 2))
c.add("triangular_solve transposed", lambda s, t: torch.linalg.solve_triangular(lower(s).mT, t, upper=True), made(1, 3, 3), made(2, 3, 2))
c.add("cholesky_solve", lambda s, t: torch.cholesky_solve(t, lower(s)), made(1, 3, 3), made(2, 3, 2))
c.add("weigh_triangles", lambda t: 2 * t.tril(-1) - (t.tril(0) - t.tril(-1)) + 0.5 * t.triu(1), made(1, 2, 3, 4))
c.write()

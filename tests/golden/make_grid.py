#!/usr/bin/env python3
"""Writes grid.inc: what PyTorch gives, in double, for padding, pooling and resizing on grids, with gradients.

    python make_grid.py > grid.inc

Inputs are sines, so that both sides can make them: element i of input number k is sin(1.7 i + k) * 1.5 + 0.25 k, channels last.
Gradients are of sum(y * made(9, shape of y)).
"""
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def made(k, *shape):
    n = 1
    for s in shape: n *= s
    i = torch.arange(n, dtype=torch.float64)
    return (torch.sin(1.7 * i + k) * 1.5 + 0.25 * k).reshape(shape)


def first(x): return x.movedim(-1, 1)
def last(x): return x.movedim(1, -1)


def row(value): return "{" + ", ".join(f"{v:.15g}" for v in value.detach().contiguous().reshape(-1).tolist()) + "}"


def emit(name, f, x):
    x = x.clone().requires_grad_()
    y = last(f(first(x)))
    y.backward(made(9, *y.shape))
    print(f'{{"{name}", {row(y)}, {row(x.grad)}}},')


print(f"// Made by make_grid.py with PyTorch {torch.__version__.split('+')[0]}; do not edit. name, result, gradient")
v = made(5, 1, 5, 4, 2)
w = made(6, 1, 3, 4, 2, 1)
for name, mode in (("reflect", "reflect"), ("edge", "replicate"), ("circular", "circular")):
    emit(f"pad_{name}", lambda x: F.pad(x, (1, 3, 2, 0), mode), v)
emit("pad_constant", lambda x: F.pad(x, (1, 2, 2, 0), "constant", 0.75), v)
emit("pad_circular_3d", lambda x: F.pad(x, (1, 0, 2, 1, 0, 3), "circular"), w)
emit("adaptive_avg_pool", lambda x: F.adaptive_avg_pool2d(x, (3, 7)), v)
emit("adaptive_avg_pool_3d", lambda x: F.adaptive_avg_pool3d(x, (2, 3, 2)), w)
emit("adaptive_max_pool", lambda x: F.adaptive_max_pool2d(x, (3, 7)), v)
emit("avg_pool_inside", lambda x: F.avg_pool2d(x, (3, 2), (2, 1), (1, 1), count_include_pad=False), v)
emit("resize_cubic", lambda x: F.interpolate(x, (8, 3), mode="bicubic", align_corners=False), v)
emit("resize_cubic_corners", lambda x: F.interpolate(x, (8, 3), mode="bicubic", align_corners=True), v)
emit("resize_linear_corners", lambda x: F.interpolate(x, (4, 6, 1), mode="trilinear", align_corners=True), w)
emit("resize_linear_antialias", lambda x: F.interpolate(x, (2, 7), mode="bilinear", antialias=True), v)
emit("resize_cubic_antialias_grows", lambda x: F.interpolate(x, (2, 9), mode="bicubic", antialias=True), v)
emit("resize_catmull_rom_antialias", lambda x: F.interpolate(x, (3, 2), mode="bicubic", antialias=True), v)
emit("resize_area", lambda x: F.interpolate(x, (2, 3), mode="area"), v)
s = made(7, 1, 2, 3, 12)
# PyTorch's pixel_shuffle has the factors innermost in the channels, ours has them outermost.
emit("depth_to_space", lambda x: F.pixel_shuffle(x.reshape(1, 2, 2, 3, 2, 3).permute(0, 3, 1, 2, 4, 5).reshape(1, 12, 2, 3), 2), s)
wt = made(3, 3, 2, 3, 3)
emit("conv_circular", lambda x: F.conv2d(F.pad(F.pad(x, (1, 1, 0, 0), "circular"), (0, 0, 1, 1), "reflect"), wt, made(4, 3)), v)
emit("conv_same_even", lambda x: F.conv2d(x, made(3, 3, 2, 4, 2), None, padding="same", dilation=(1, 2)), v)
c = made(1, 2, 3, 2, 4)
emit("group_norm_relu", lambda x: F.leaky_relu(F.group_norm(x, 2, made(2, 4), made(3, 4), 1e-5), 0.1), c)
emit("batch_norm_relu", lambda x: F.relu(F.batch_norm(x, None, None, made(2, 4), made(3, 4), True, 0.1, 1e-5)), c)

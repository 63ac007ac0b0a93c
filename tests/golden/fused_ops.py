#!/usr/bin/env python3
"""Writes fused_ops.hpp: what PyTorch gives, in double, for the normalisations, losses, pooling and resizing.

    python fused_ops.py > fused_ops.hpp

Inputs are sines, so that both sides can make them: element i of input number k is sin(1.7 i + k) * 1.5 + 0.25 k, channels last.
"""
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
out = []


def made(k, *shape):
    n = 1
    for s in shape: n *= s
    i = torch.arange(n, dtype=torch.float64)
    return (torch.sin(1.7 * i + k) * 1.5 + 0.25 * k).reshape(shape)


def first(x): return x.movedim(-1, 1)
def last(x): return x.movedim(1, -1)


def emit(name, value):
    values = value.detach().contiguous().reshape(-1).tolist()
    out.append(f"inline const std::vector<double> {name}{{" + ", ".join(f"{v:.17g}" for v in values) + "};")


def emit_with_gradient(name, f, *inputs):
    inputs = [i.clone().requires_grad_() for i in inputs]
    y = f(*inputs)
    emit(name, y)
    y.backward(made(9, *y.shape))
    for k, i in enumerate(inputs): emit(f"{name}_d{k}", i.grad)


x = made(1, 2, 3, 2, 4)
scale, shift = made(2, 4), made(3, 4)
emit_with_gradient("instance_norm", lambda x, a, b: last(F.leaky_relu(F.instance_norm(first(x), weight=a, bias=b, eps=1e-5), 0.1)), x, scale, shift)
emit_with_gradient("group_norm", lambda x, a, b: last(F.group_norm(first(x), 2, a, b, 1e-5)), x, scale, shift)
emit_with_gradient("layer_norm", lambda x, a, b: F.layer_norm(x, (4,), a, b, 1e-5), x, scale, shift)
mean, var = torch.zeros(4), torch.ones(4)
emit_with_gradient("batch_norm", lambda x, a, b: last(F.batch_norm(first(x), mean, var, a, b, True, 0.1, 1e-5)), x, scale, shift)
emit("batch_norm_running_mean", mean)
emit("batch_norm_running_var", var)
emit_with_gradient("batch_norm_eval", lambda x, a, b: last(F.batch_norm(first(x), mean, var, a, b, False, 0.1, 1e-5)), x, scale, shift)
emit_with_gradient("softmax_middle", lambda x: F.softmax(x, 1), x)
emit_with_gradient("log_softmax_last", lambda x: F.log_softmax(x, -1), x)

labels = (torch.arange(2 * 3 * 2) * 7 // 3) % 4
labels = labels.reshape(2, 3, 2)


def seg_loss(x):
    o = first(x)
    p = o.softmax(1); h = F.one_hot(labels, 4).movedim(-1, 1).double()
    inter = (p * h).sum((2, 3)); dice = (2 * inter + 1e-5) / (p.sum((2, 3)) + h.sum((2, 3)) + 1e-5)
    return (F.cross_entropy(o, labels) + 1 - dice[:, 1:].mean()).reshape(1)


emit_with_gradient("cross_entropy", lambda x: F.cross_entropy(first(x), labels).reshape(1), x)
emit_with_gradient("dice_cross_entropy", seg_loss, x)
emit_with_gradient("mse_loss", lambda x, t: F.mse_loss(x, t).reshape(1), x, made(4, 2, 3, 2, 4))

v = made(5, 1, 5, 6, 2)
emit_with_gradient("max_pool", lambda x: last(F.max_pool2d(first(x), (3, 2), (2, 1), (1, 1))), v)
emit_with_gradient("avg_pool", lambda x: last(F.avg_pool2d(first(x), (3, 2), (2, 1), (1, 1))), v)
emit_with_gradient("resize_linear", lambda x: last(F.interpolate(first(x), (8, 4), mode="bilinear", align_corners=False)), v)
emit_with_gradient("resize_nearest", lambda x: last(F.interpolate(first(x), (8, 4), mode="nearest-exact")), v)
w = made(6, 1, 3, 4, 2, 1)
emit_with_gradient("resize_trilinear", lambda x: last(F.interpolate(first(x), (5, 3, 4), mode="trilinear", align_corners=False)), w)

print(f"// Made by fused_ops.py with PyTorch {torch.__version__.split('+')[0]}; do not edit.")
print("#pragma once\n\n#include <vector>\n\n// clang-format off\nnamespace golden {\n")
print("\n".join(out))
print("\n}  // namespace golden\n// clang-format on")

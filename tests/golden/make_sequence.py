"""Writes sequence.inc: LSTM, GRU, attention and transformer layers, convolution of one-hot letters as PyTorch computes them in float64: outputs, then all gradients.

Run: python3 tests/golden/make_sequence.py    (needs PyTorch and NumPy; the figures in the tree come from PyTorch 2.15)

Inputs are `made` tensors (element i of number k is sin(1.7 i + k) 1.5 + 0.25 k, as in core/ops/gradient_check.hpp); weights are 0.2 times that, numbered from 20
in the order of the module's parameters here. The loss is the sum of all outputs times made(11), and gradients follow in the order: inputs, weights.
"""
import math
import pathlib

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def made(k, *shape):
    n = int(np.prod(shape))
    return torch.tensor([math.sin(1.7 * i + k) * 1.5 + 0.25 * k for i in range(n)]).reshape(shape)


def fill(module):
    for k, p in enumerate(module.parameters()):
        p.data = 0.2 * made(20 + k, *p.shape) - 0.05 * (20 + k)
    return module


def record(name, outputs, inputs, module=None):
    total = sum((o * made(11, *o.shape)).sum() for o in outputs)
    leaves = inputs + (list(module.parameters()) if module else [])
    grads = torch.autograd.grad(total, leaves)
    lists = [", ".join(f"{v:.10g}" for v in t.detach().reshape(-1).tolist()) for t in list(outputs) + list(grads)]
    return '{"' + name + '", {' + ", ".join("{" + s + "}" for s in lists) + "}},\n"


def leaf(t):
    return t.requires_grad_()


def recurrent(kind, name, bidirectional, lengths=None):
    N, T, I, H = 3, 4, 2, 3
    module = fill(getattr(nn, kind)(I, H, 2, batch_first=True, bidirectional=bidirectional))
    cells = 4 if bidirectional else 2
    x, h, c = leaf(made(1, N, T, I)), leaf(0.3 * made(2, cells, N, H)), leaf(0.3 * made(3, cells, N, H))
    h, c = leaf(h.detach()), leaf(c.detach())
    given = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False) if lengths else x
    if kind == "LSTM":
        y, (h1, c1) = module(given, (h, c))
        outputs, inputs = [h1, c1], [x, h, c]
    else:
        y, h1 = module(given, h)
        outputs, inputs = [h1], [x, h]
    if lengths:
        y, _ = nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=T)
    return record(name, [y] + outputs, inputs, module)


def attention(name, mask=None, causal=False, L=3, S=4):
    q, k, v = leaf(made(1, 2, L, 2, 3)), leaf(made(2, 2, S, 2, 3)), leaf(made(3, 2, S, 2, 3))
    y = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=mask, is_causal=causal)
    return record(name, [y.transpose(1, 2)], [q, k, v])


def layer(name, kind, norm_first, activation, padding=None):
    options = dict(dropout=0.0, activation=activation, batch_first=True, norm_first=norm_first)
    module = fill(getattr(nn, kind)(4, 2, 6, **options))
    x, memory = leaf(made(1, 2, 3, 4)), leaf(made(2, 2, 5, 4))
    if kind == "TransformerEncoderLayer":
        return record(name, [module(x, src_key_padding_mask=padding)], [x], module)
    causal = nn.Transformer.generate_square_subsequent_mask(3)
    return record(name, [module(x, memory, tgt_mask=causal, memory_key_padding_mask=padding)], [x, memory], module)


text = f"// Made by make_sequence.py with PyTorch {torch.__version__.split('+')[0]}: outputs, then gradients.\n"
for kind in ("LSTM", "GRU"):
    text += recurrent(kind, kind + " two layers", False)
    text += recurrent(kind, kind + " both directions, lengths", True, [4, 2, 3])
text += attention("attention")
text += attention("attention causal", causal=True, L=4)
text += attention("attention bool mask", mask=torch.tensor([[1, 0, 1, 1], [0, 1, 0, 0], [1, 1, 1, 1]], dtype=torch.bool))
text += attention("attention additive mask", mask=made(4, 2, 1, 3, 4).detach())
keys = torch.tensor([[0, 0, 1], [0, 0, 0]], dtype=torch.bool)
text += layer("encoder norm first", "TransformerEncoderLayer", True, "gelu")
text += layer("encoder norm last, padding", "TransformerEncoderLayer", False, "relu", keys)
text += layer("decoder norm first", "TransformerDecoderLayer", True, "gelu", torch.tensor([[0, 0, 0, 1, 1], [0, 0, 0, 0, 0]], dtype=torch.bool))
table, index = leaf(made(1, 5, 3)), torch.tensor([[0, 3, 3], [4, 1, 0]])
text += record("embedding", [F.embedding(index, table, padding_idx=3)], [table])
x, scale = leaf(made(1, 3, 5)), leaf(made(2, 5))
text += record("rms_norm", [F.rms_norm(x, (5,), scale, 1e-6)], [x, scale])
codes = torch.tensor([[0, 3, 4, 1, 2, 2, 0], [1, 1, 3, 0, 9, 2, 3]])  # 4 and 9 are no letters
weight, bias = leaf(made(1, 3, 4, 4)), leaf(made(2, 3))  # [out, taps, letters]
known = F.one_hot(codes.clamp(max=4), 5)[:, :, :4].double()
y = F.conv1d(known.transpose(1, 2), weight.transpose(1, 2), bias, padding=2).transpose(1, 2)
text += record("conv_codes", [y], [weight, bias])
(pathlib.Path(__file__).parent / "sequence.inc").write_text(text)

#!/usr/bin/env python3
"""Lines as those of cases.txt with ops and sizes at random, small and odd ones: what no list foresees. SCALE multiplies how large tensors may be.

    python3 tests/bench/shapes/random_cases.py COUNT [SEED [SCALE]] >FILE; python3 tests/bench/shapes.py --what values --cases FILE
"""
import random
import sys

SCALE = float(sys.argv[3]) if len(sys.argv) > 3 else 1  # of the largest tensors
SIZES = [1, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 40, 48, 63, 64, 65, 96, 100, 127, 128, 129, 255, 256, 257, 500, 513, 1000, 1025, 4097]
FLOATS = ["f32", "f32", "f32", "f64", "bf16", "f16"]
UNARY = ("exp expm1 sin cos tan atan sinh cosh tanh erf sigmoid relu gelu gelu_tanh silu softplus elu leaky_relu abs floor round sign clamp add_number to_f32 to_bf16 is_nan "
         "contiguous").split()
POSITIVE = "log log1p sqrt rsqrt lgamma digamma asin acos".split()


def number(values):
    return "[" + ",".join(map(str, values)) + "]"


def shape(r, rank, most=60000):
    while True:
        sizes = [r.choice(SIZES) for _ in range(rank)]
        count = 1
        for s in sizes:
            count *= s
        if count <= most * SCALE:
            return sizes


def tensor(r, dtype, sizes, kind=""):
    return f"{dtype}{kind}{number(sizes)}" + ("^" if len(sizes) > 1 and r.random() < 0.25 else "")


def broadcast(r, sizes):
    return [1 if r.random() < 0.3 else s for s in sizes][r.randrange(len(sizes)) if r.random() < 0.3 else 0:]


def gradient(r, dtype):
    return " gradient" if dtype in ("f32", "f64") and r.random() < 0.5 else ""


def unary(r):
    name, dtype, sizes = r.choice(UNARY + POSITIVE), r.choice(FLOATS), shape(r, r.randint(1, 4))
    if name == "to_bf16":
        dtype = "f32"  # PyTorch rounds f64 twice
    smooth = name not in ("floor", "round", "sign", "is_nan", "contiguous", "to_f32", "to_bf16")
    return f"{name} {tensor(r, dtype, sizes, '+' if name in POSITIVE else '')}" + (gradient(r, dtype) if smooth else "")


def binary(r):
    name, sizes = r.choice("add sub mul div maximum minimum less equal atan2 pow".split()), shape(r, r.randint(1, 4))
    dtype = r.choice(FLOATS + (["i32<50", "i64<50", "u8<50"] if name in ("add", "mul", "maximum", "less", "equal") else []))
    kind = "+" if name in ("div", "pow") else ""
    a, b = (tensor(r, dtype, s, kind) for s in (sizes, broadcast(r, sizes)))
    return f"{name} {a} {b}" + (gradient(r, dtype) if name in ("add", "sub", "mul", "div") else "")


def where(r):
    sizes, dtype = shape(r, r.randint(1, 3)), r.choice(FLOATS)
    return f"where {tensor(r, 'bool', broadcast(r, sizes))} {tensor(r, dtype, sizes)} {tensor(r, dtype, broadcast(r, sizes))}" + gradient(r, dtype)


def reduction(r):
    name, rank = r.choice("sum mean var max min argmax".split()), r.randint(1, 4)
    sizes = shape(r, rank)
    dtype = r.choice(FLOATS + (["i64<9", "bool", "u8<9"] if name == "sum" else ["i32<999999"] if name in ("max", "argmax") else []))
    x = tensor(r, dtype, sizes)
    if name in ("sum", "mean", "var"):
        axes = sorted(r.sample(range(rank), r.randint(1, rank)))
        return f"{name} {x} axes={','.join(map(str, axes))}" + gradient(r, dtype)
    return f"{name} {x} axis={r.randrange(rank)}" + (gradient(r, dtype) if name != "argmax" else "")


def moved(r):
    dtype, rank = r.choice(FLOATS + ["u8<200", "i64<99"]), r.randint(1, 4)
    sizes = shape(r, rank)
    x, axis = tensor(r, dtype, sizes), r.randrange(rank)
    back = gradient(r, dtype)
    name = r.choice("flip roll tile repeat permute pad concat stack every_other narrow".split())
    if name == "flip":
        return f"flip {x} axes={','.join(map(str, r.sample(range(rank), r.randint(1, rank))))}{back}"
    if name == "roll":
        return f"roll {x} by={r.randint(-9, 9)} axes={axis}{back}"
    if name == "tile":
        return f"tile {x} by={','.join(str(r.randint(1, 3)) for _ in sizes)}{back}"
    if name == "repeat":
        return f"repeat {x} by={r.randint(1, 5)} axis={axis}{back}"
    if name == "permute" and rank in (2, 3, 4):
        return f"permute {x} to={','.join(map(str, r.sample(range(rank), rank)))}{back}"
    if name == "pad":
        return f"pad {x} before={','.join(str(r.randint(0, 3)) for _ in sizes)} after={','.join(str(r.randint(0, 3)) for _ in sizes)}{back}"
    if name == "narrow":
        start = [r.randrange(s) for s in sizes]
        return f"narrow {x} from={','.join(map(str, start))} by={','.join(str(r.randint(1, s - f)) for s, f in zip(sizes, start))}{back}"
    if name == "concat":
        other = list(sizes)
        other[axis] = r.randint(1, 9)
        return f"concat {x} {tensor(r, dtype, other)} {tensor(r, dtype, sizes)} axis={axis}{back}"
    if name == "stack":
        return f"stack {x} {tensor(r, dtype, sizes)} axis={axis}{back}"
    return f"every_other {x} axis={axis}{back}"


def channels(r):
    return r.choice([1, 2, 3, 4, 5, 8, 12, 16, 17, 32, 33, 64])


def image(r, most=40000):
    rank = r.randint(1, 3)
    while True:
        sizes = [r.randint(1, 3)] + [r.choice([3, 4, 5, 7, 8, 9, 12, 16, 17, 24, 33, 64]) for _ in range(rank)] + [channels(r)]
        count = 1
        for s in sizes:
            count *= s
        if count <= most * SCALE:
            return sizes, rank


def pooling(r):
    sizes, rank = image(r)
    dtype = r.choice(FLOATS[:5])
    name = r.choice("max_pool avg_pool adaptive_avg_pool global_avg_pool global_max_pool".split())
    x = f"{dtype}{number(sizes)}"
    if name.startswith("global"):
        return f"{name} {x}{gradient(r, dtype)}"
    if name.startswith("adaptive"):
        return f"{name} {x} size={','.join(str(r.randint(1, 9)) for _ in range(rank))}{gradient(r, dtype)}"
    kernel = [r.randint(1, min(3, s)) for s in sizes[1:-1]]
    return (f"{name} {x} kernel={','.join(map(str, kernel))} stride={','.join(str(r.randint(1, 3)) for _ in kernel)} "
            f"padding={','.join(str(r.randint(0, k // 2)) for k in kernel)}{gradient(r, dtype)}")


def resize(r):
    sizes, rank = image(r)
    dtype, mode = r.choice(["f32", "f64", "f32"]), r.choice(["linear", "nearest", "area"])
    corners = " corners=1" if mode == "linear" and r.random() < 0.3 else ""
    # nearest: PyTorch rounds the scale to f32, so that a centre on the edge of two voxels may fall to the other one but where the size is a power of 2
    out = [r.choice([1, 2, 4, 8, 16, 32]) if mode == "nearest" else r.randint(1, 40) for _ in range(rank)]
    return f"resize {dtype}{number(sizes)} size={','.join(map(str, out))} mode={mode}{corners}{gradient(r, dtype)}"


def conv(r):
    sizes, rank = image(r, 20000)
    dtype, inputs, outputs, groups = r.choice(["f32", "f32", "f64"]), sizes[-1], channels(r), 1
    if r.random() < 0.4:
        groups = outputs = inputs
    kernel = [r.randint(1, min(5, s)) for s in sizes[1:-1]]
    bias = f" {dtype}[{outputs}]" if r.random() < 0.5 else ""
    return (f"conv {dtype}{number(sizes)} {dtype}{number([outputs] + kernel + [inputs // groups])}{bias} groups={groups} stride={','.join(str(r.randint(1, 2)) for _ in kernel)} "
            f"padding={','.join(str(r.randint(0, 2)) for _ in kernel)}{gradient(r, dtype)}")


def normalised(r):
    name, dtype = r.choice("softmax log_softmax layer_norm rms_norm batch_norm instance_norm group_norm".split()), r.choice(["f32", "f32", "f64"])
    if name.endswith("softmax"):
        sizes = shape(r, r.randint(1, 3))
        return f"{name} {tensor(r, r.choice(FLOATS), sizes)} axis={r.randrange(len(sizes))}" + (" gradient" if r.random() < 0.5 else "")
    if name in ("layer_norm", "rms_norm", "batch_norm"):
        sizes = [r.randint(3, 200), r.choice(SIZES[2:])]
        c = f"{dtype}[{sizes[1]}]"
        return f"{name} {dtype}{number(sizes)} {c}" + (f" {c}" if name != "rms_norm" else "") + gradient(r, dtype)
    sizes, _ = image(r)
    c = sizes[-1]
    groups = f" groups={r.choice([g for g in range(1, c + 1) if c % g == 0])}" if name == "group_norm" else ""
    return f"{name} f32{number(sizes)} f32[{c}] f32[{c}]{groups}{gradient(r, 'f32')}"


def loss(r):
    dtype = r.choice(["f32", "f32", "f64"])
    if r.random() < 0.5:
        rows, classes = r.choice(SIZES), r.choice(SIZES[2:])
        return f"{r.choice(['cross_entropy', 'smoothed_cross_entropy'])} {dtype}{number([rows, classes])} i64<{classes}[{rows}]{gradient(r, dtype)}"
    name, sizes = r.choice("mse_loss l1_loss huber_loss bce_with_logits kl_divergence poisson_nll".split()), shape(r, 2)
    kind = "+" if name in ("bce_with_logits", "kl_divergence", "poisson_nll") else ""
    return f"{name} {tensor(r, dtype, sizes)} {dtype}{kind}{number(sizes)}{gradient(r, dtype)}"


def attention(r):
    dtype, batch, heads = r.choice(["f32", "f32", "f64", "bf16"]), r.randint(1, 3), r.randint(1, 4)
    width, queries, keys = r.choice([4, 8, 16, 17, 32, 64]), r.choice([1, 2, 5, 8, 9, 16, 33, 64]), r.choice([1, 2, 7, 16, 33, 100, 257])
    q, k = number([batch, queries, heads, width]), number([batch, keys, heads, width])
    causal = " causal=1" if queries == keys else ""
    return f"attention {dtype}{q} {dtype}{k} {dtype}{k}{causal}{gradient(r, dtype)}"


def product(r):
    dtype, m, k, n = r.choice(["f32", "f32", "f64", "bf16", "c64"]), r.choice(SIZES[:28]), r.choice(SIZES[:28]), r.choice(SIZES[:28])
    batch = shape(r, r.randint(0, 2), 40)
    while m * k * n > 4000000 * SCALE or max(m * k, k * n, m * n) * max(1, len(batch)) > 60000 * SCALE:
        m, k, n = (r.choice(SIZES[:20]) for _ in range(3))
    return f"matmul {tensor(r, dtype, batch + [m, k])} {tensor(r, dtype, batch + [k, n])}{gradient(r, dtype)}"


def places(r):
    rows, columns, dtype = r.choice(SIZES), r.choice([s for s in SIZES if s < 300]), r.choice(["f32", "f64", "f32"])
    axis = r.randint(0, 1)
    picks = r.choice([1, 3, 16, 100])
    size = (rows, columns)[axis]
    index = [picks, columns] if axis == 0 else [rows, picks]
    name = r.choice("index_select gather scatter_add sort topk cumsum cumprod cummax logcumsumexp".split())
    x = f"{dtype}{number([rows, columns])}"
    if name == "index_select":
        return f"index_select {x} i64<{size}[{picks}] axis={axis}{gradient(r, dtype)}"
    if name == "gather":
        return f"gather {x} i64<{size}{number(index)} axis={axis}{gradient(r, dtype)}"
    if name == "scatter_add":
        return f"scatter_add {x} i64<{size}{number(index)} {dtype}{number(index)} axis={axis}"
    if name == "topk":
        return f"topk {x} k={r.randint(1, size)} axis={axis}"
    return f"{name} {tensor(r, dtype, [rows, columns])} axis={axis}" + (gradient(r, dtype) if name != "cumprod" else "")


def algebra(r):
    n, batch, dtype = r.choice([1, 2, 3, 4, 5, 8, 15, 16, 17, 32, 33, 64, 65, 100, 130]), r.choice([1, 2, 5, 33]), r.choice(["f32", "f64"])
    if n > 40:
        batch = 1
    a, columns = f"{dtype}~{number([batch, n, n])}", r.choice([1, 2, 8, 17, 40])
    name = r.choice("cholesky inv det solve triangular_solve qr singular_values eigvalsh eigh svd lstsq slogdet".split())
    if name in ("solve", "triangular_solve"):
        return f"{name} {a} {dtype}{number([batch, n, columns])}{gradient(r, dtype)}"
    if name in ("qr", "singular_values", "svd"):
        return f"{name} {dtype}{number([batch, n + r.choice([0, 1, 30, 400]), n])}"
    if name == "lstsq":
        return f"lstsq {dtype}{number([batch, n + 20, n])} {dtype}{number([batch, n + 20, columns])}"
    return f"{name} {a}{gradient(r, dtype) if name in ('cholesky', 'inv') else ''}"


def transform(r):
    n, lines, inner = r.choice([1, 2, 3, 4, 5, 7, 8, 12, 15, 16, 17, 24, 60, 64, 97, 100, 128, 243, 365, 512, 997, 1000, 4096, 5003]), r.choice([1, 2, 5, 16, 17, 33]), r.choice([1, 1, 3, 16, 20])
    if r.random() < 0.5:
        return f"rfft {r.choice(['f32', 'f64'])}{number([lines, n, inner])} axes=1"
    return f"{r.choice(['fft', 'ifft'])} c64{number([lines, n, inner])} axes=1"


KINDS = [unary, unary, binary, binary, where, reduction, reduction, moved, moved, pooling, resize, conv, normalised, loss, attention, product, places, algebra, transform]

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    source = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    for _ in range(int(sys.argv[1])):
        print(source.choice(KINDS)(source))

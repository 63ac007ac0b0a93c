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
    return " gradient" if dtype in ("f32", "f64", "c64") and r.random() < 0.5 else ""


def unary(r):
    name, dtype, sizes = r.choice(UNARY + POSITIVE), r.choice(FLOATS), shape(r, r.randint(1, 4))
    if name == "to_bf16":
        dtype = "f32"  # PyTorch rounds f64 twice
    smooth = name not in ("floor", "round", "sign", "is_nan", "contiguous", "to_f32", "to_bf16")
    return f"{name} {tensor(r, dtype, sizes, '+' if name in POSITIVE else '')}" + (gradient(r, dtype) if smooth else "")


def binary(r):
    name, sizes = r.choice("add sub mul div maximum minimum less equal atan2 pow".split()), shape(r, r.randint(1, 4))
    dtype = r.choice(FLOATS + (["i32<50", "i64<50", "u8<50"] if name in ("add", "mul", "maximum", "less", "equal") else []))
    if name in ("add", "sub", "mul", "div") and r.random() < 0.15:
        dtype = "c64"
    kind = "+" if name in ("div", "pow") and dtype != "c64" else ""
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
    dtype, rank = r.choice(FLOATS + ["u8<200", "i64<99", "c64", "bool", "i32<99"]), r.randint(1, 4)
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


def vectors(r):
    """Products with vectors, and of one matrix with many."""
    dtype, m, k, n, batch = r.choice(["f32", "f64", "bf16", "f16", "c64"]), r.choice(SIZES[:26]), r.choice(SIZES[:26]), r.choice(SIZES[:20]), r.choice([1, 2, 5])
    left, right = r.choice([([k], [k]), ([m, k], [k]), ([k], [k, n]), ([batch, m, k], [k]), ([batch, m, k], [k, n]), ([m, k], [batch, k, n]), ([k], [batch, k, n])])
    return f"matmul {tensor(r, dtype, left)} {tensor(r, dtype, right)}{gradient(r, dtype)}"


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


def flags(r):
    sizes, dtype = shape(r, r.randint(1, 3)), r.choice(FLOATS)
    name = r.choice("masked_fill masked_select nonzero one_hot tril diagonal hypot pow_number take angle conj gaussian_nll".split())
    if name in ("masked_fill", "masked_select"):
        mask = tensor(r, "bool", broadcast(r, sizes) if name == "masked_fill" else sizes)
        return f"{name} {tensor(r, dtype, sizes)} {mask}{gradient(r, dtype)}"
    if name == "nonzero":
        return f"nonzero {tensor(r, r.choice(['bool', 'u8<3', 'f32']), sizes)}"
    if name == "one_hot":
        classes = r.choice(SIZES[:20])
        return f"one_hot i64<{classes}{number(shape(r, r.randint(1, 2), 3000))} classes={classes}"
    if name in ("tril", "diagonal"):
        return f"{name} {tensor(r, dtype, shape(r, r.randint(2, 3)))}{gradient(r, dtype)}"
    if name == "take":
        return f"take {tensor(r, dtype, [sizes[0]])} i64<{sizes[0]}{number(sizes)}{gradient(r, dtype)}"
    if name in ("angle", "conj"):
        return f"{name} {tensor(r, 'c64', sizes)}"
    dtype = r.choice(["f32", "f64"])
    if name == "pow_number":
        return f"pow_number {tensor(r, dtype, sizes, '+')} to={r.choice([-2, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4])}{gradient(r, dtype)}"
    if name == "gaussian_nll":
        return f"gaussian_nll {dtype}{number(sizes)} {dtype}+{number(sizes)} {dtype}{number(sizes)}{gradient(r, dtype)}"
    return f"hypot {tensor(r, dtype, sizes)} {tensor(r, dtype, broadcast(r, sizes))}{gradient(r, dtype)}"


def tables(r):
    dtype, rows, columns = r.choice(["f32", "f32", "f64"]), r.choice(SIZES), r.choice([s for s in SIZES if s < 300])
    picks = r.choice([0, 1, 2, 5, 33, 300, 1025])
    name = r.choice("embedding index_add scatter bincount unique searchsorted quantile median sort argmax".split())
    x = f"{dtype}{number([rows, columns])}"
    axis = r.randint(0, 1)
    if name == "embedding":
        index = [r.randint(1, 3), max(1, picks)] if r.random() < 0.5 else [picks]
        return f"embedding {x} i64<{rows}{number(index)}{gradient(r, dtype)}"
    if name == "index_add":
        source = [picks, columns] if axis == 0 else [rows, picks % 300]
        return f"index_add {x} i64<{(rows, columns)[axis]}[{source[axis]}] {dtype}{number(source)} axis={axis}{gradient(r, dtype)}"
    if name == "scatter":  # where two go to one place the winner is nobody's promise
        return f"scatter {x} i64<1{number([1, columns] if axis == 0 else [rows, 1])} {dtype}{number([1, columns] if axis == 0 else [rows, 1])} axis={axis}"
    if name == "bincount":
        return f"bincount i64<{rows}[{max(1, picks)}] {dtype}[{max(1, picks)}] bins={rows}" if r.random() < 0.5 else f"bincount i64<{rows}[{max(1, picks)}] bins={rows}"
    if name == "unique":
        return f"unique {r.choice(['i64<9', 'i64<100000', 'i32<300', 'f32<40'])}[{rows * r.randint(1, 9)}]"
    if name == "searchsorted":
        return f"searchsorted {dtype}@[{rows}] {dtype}{number(shape(r, r.randint(1, 2), 9000))}"
    if name in ("quantile", "median"):
        q = f" q={r.choice([0, 0.1, 0.25, 0.5, 0.9, 1])}" if name == "quantile" else ""
        return f"{name} {x}{q} axis={axis}{gradient(r, dtype)}"
    if name == "sort":
        return f"sort {r.choice(FLOATS + ['i32<99', 'i64<99999', 'u8<200'])}{number([rows, columns])} axis={axis}" + (" descending=1" if r.random() < 0.3 else "")
    return f"argmax {r.choice(FLOATS)}{number([rows, columns])} axis={axis}"


def layer(r):
    sizes, rank = image(r, 20000)
    dtype, inputs, outputs = r.choice(["f32", "f32", "f64"]), sizes[-1], channels(r)
    name = r.choice("conv conv_transpose linear adaptive_max_pool pad_reflect depth_to_space attention attention resize".split())
    if name == "linear":
        dtype = r.choice(["f32", "f64", "bf16"])
        outputs = r.choice(SIZES[:28])
        rows = shape(r, r.randint(1, 3), 2000)
        return f"linear {dtype}{number(rows + [inputs])} {dtype}{number([outputs, inputs])}" + (f" {dtype}[{outputs}]" if r.random() < 0.6 else "") + gradient(r, dtype)
    if name == "adaptive_max_pool":
        return f"{name} {dtype}{number(sizes)} size={','.join(str(r.randint(1, s)) for s in sizes[1:-1])}{gradient(r, dtype)}"
    if name == "pad_reflect":
        return f"{name} {dtype}{number(sizes)} by={','.join(str(r.randint(0, min(5, s - 1))) for s in sizes[1:-1])}{gradient(r, dtype)}"
    if name == "depth_to_space":
        return f"{name} {dtype}{number([r.randint(1, 3), r.randint(1, 20), r.randint(1, 20), 4 * r.randint(1, 9)])} by=2,2{gradient(r, dtype)}"
    if name == "resize":
        sizes = [r.randint(1, 2), r.randint(3, 40), r.randint(3, 40), channels(r)]
        return f"resize f32{number(sizes)} size={r.randint(1, 60)},{r.randint(1, 60)} mode={r.choice(['linear', 'cubic'])}{r.choice(['', ' antialias=1', ' corners=1'])}{gradient(r, 'f32')}"
    if name == "attention":
        dtype, batch, heads, width = r.choice(["f32", "f64", "bf16"]), r.randint(1, 3), r.randint(1, 4), r.choice([4, 8, 17, 24, 64])
        queries, keys = r.choice([1, 2, 5, 8, 9, 33, 64, 130]), r.choice([1, 2, 7, 33, 100, 257])
        q, k = number([batch, queries, heads, width]), number([batch, keys, heads, width])
        mask = number([r.choice([1, batch]), r.choice([1, heads]), r.choice([1, queries]), keys])
        return f"attention {dtype}{q} {dtype}{k} {dtype}{k} {dtype}{mask}{gradient(r, dtype)}"
    groups = r.choice([g for g in range(1, inputs + 1) if inputs % g == 0])
    per_group = r.choice([1, 2, 3, 4, 8])
    kernel = [r.randint(1, min(4, s)) for s in sizes[1:-1]]
    stride = [r.randint(1, 3) for _ in kernel]
    tail = f" groups={groups} stride={','.join(map(str, stride))}"
    bias = f" {dtype}[{groups * per_group}]" if r.random() < 0.5 else ""
    if name == "conv":
        dilation = [r.randint(1, 3) for _ in kernel]
        padding = [max(0, -(-(d * (k - 1) + 1 - s) // 2)) + r.randint(0, 2) for d, k, s in zip(dilation, kernel, sizes[1:-1])]
        return (f"conv {dtype}{number(sizes)} {dtype}{number([groups * per_group] + kernel + [inputs // groups])}{bias}{tail} dilation={','.join(map(str, dilation))} "
                f"padding={','.join(map(str, padding))}{gradient(r, dtype)}")
    return (f"conv_transpose {dtype}{number(sizes)} {dtype}{number([inputs] + kernel + [per_group])}{bias}{tail} padding={','.join(str(r.randint(0, (k - 1) // 2)) for k in kernel)} "
            f"output_padding={','.join(str(r.randint(0, s - 1)) for s in stride)}{gradient(r, dtype)}")


LETTERS = "abcdefg"


def contraction(r):
    """einsum of two or three operands, of letters that each have one size."""
    sizes = {letter: r.choice([1, 2, 3, 5, 8, 16, 17, 33]) for letter in LETTERS}
    while True:
        operands = ["".join(r.sample(LETTERS, r.randint(1, 4))) for _ in range(r.choice([1, 2, 2, 2, 3]))]
        used = sorted(set("".join(operands)))
        out = "".join(r.sample(used, r.randint(0, min(4, len(used)))))
        work = 1
        for letter in used:
            work *= sizes[letter]
        if work <= 200000:
            break
    dtype = r.choice(["f32", "f32", "f64", "c64", "bf16"])
    return f"einsum {' '.join(dtype + number([sizes[l] for l in o]) for o in operands)} of={','.join(operands)}->{out}{gradient(r, dtype)}"


def more_algebra(r):
    n, dtype, batch = r.choice([1, 2, 3, 4, 5, 8, 16, 17, 33, 65]), r.choice(["f32", "f64"]), r.choice([1, 3])
    name = r.choice("pinv cholesky_solve matrix_exp irfft irfft rfft fft sum".split())
    if name == "pinv":
        return f"pinv f64{number([batch, n + r.choice([0, 7, 40]), n])}"
    if name == "cholesky_solve":
        return f"cholesky_solve {dtype}~{number([batch, n, n])} {dtype}{number([batch, n, r.choice([1, 5, 20])])}"
    if name == "matrix_exp":
        return f"matrix_exp f64{number([batch, n, n])}"
    if name == "irfft":
        size = r.choice([1, 2, 3, 5, 8, 16, 30, 97, 100, 256, 1000])
        return f"irfft c64{number([r.choice([1, 3, 17]), size // 2 + 1])} size={size}"
    sizes = [r.choice([1, 2, 4]), r.choice([3, 4, 8, 15, 32, 60]), r.choice([1, 4, 7, 16, 30]), r.choice([1, 2, 5, 8])]
    axes = ",".join(map(str, sorted(r.sample(range(4), r.randint(1, 3)))))
    return f"{name} {'f32' if name == 'rfft' else 'c64'}{number(sizes)} axes={axes}" + (" gradient" if name != "sum" and r.random() < 0.3 else "")


KINDS = [vectors, flags, tables, tables, layer, layer, contraction, more_algebra, unary, unary, binary, binary, where, reduction, reduction, moved, moved, pooling, resize, conv, normalised, loss, attention, product, places, algebra, transform]

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    source = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    for _ in range(int(sys.argv[1])):
        print(source.choice(KINDS)(source))

"""The peer of tests/bench/shapes/shapes_bench.cpp: answers the same lines with PyTorch's times and values.

    python torch_shapes.py [--device cpu|cuda] [--threads 2]

Images are given channels first, as PyTorch's ops want them, contiguous and in its channels-last memory format; the better time counts. On a GPU a
run is captured as a CUDA graph where it can be.
"""
import argparse
import json
import math
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

from torch_graphs import captured

TYPES = {"f32": torch.float32, "f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16, "u8": torch.uint8, "i32": torch.int32,
         "i64": torch.int64, "bool": torch.bool, "c64": torch.complex64}


def uniform(number, count):
    with np.errstate(over="ignore"):
        z = (np.arange(count, dtype=np.uint64) + np.uint64((number << 40) + 1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * 2.0 ** -53


def tensor(token, number, device):
    head, rest = token.split("[")
    sizes, after = rest.split("]")
    sizes, swapped = [int(s) for s in sizes.split(",") if s], after == "^"
    cut = min([head.index(k) for k in "+~<@" if k in head] or [len(head)])
    kind, dtype = head[cut:], head[:cut]
    if swapped:
        sizes[-1], sizes[-2] = sizes[-2], sizes[-1]
    if dtype == "c64":
        sizes.append(2)
    count = math.prod(sizes)
    u = uniform(number, count)
    below = float(kind[1:]) if kind.startswith("<") else 2 if dtype == "bool" else 0
    values = 0.1 + u if kind == "+" else np.floor(u * below) if below else np.arange(count) % sizes[-1] if kind == "@" else 4 * u - 2
    x = torch.from_numpy(np.asarray(values, dtype=np.float64).reshape(sizes))
    if kind == "~":
        x = torch.tril(x) + torch.tril(x, -1).mT + 4 * math.sqrt(sizes[-1]) * torch.eye(sizes[-1], dtype=torch.float64)
    x = torch.view_as_complex(x.float()) if dtype == "c64" else x.float().to(TYPES[dtype]) if dtype in ("f16", "bf16") else x.to(TYPES[dtype])
    x = x.to(device)
    return x.mT if swapped else x


class Case:
    def __init__(self, line, device):
        words = line.split()
        self.op, self.inputs, self.parameters, self.gradient = words[0], [], {}, False
        for word in words[1:]:
            if word == "gradient":
                self.gradient = True
            elif "=" in word:
                name, value = word.split("=", 1)
                self.parameters[name] = value
            else:
                self.inputs.append(tensor(word, len(self.inputs), device))

    def sizes(self, name="axes"):
        return [int(s) for s in self.parameters.get(name, "").split(",") if s]

    def number(self, name, otherwise):
        return float(self.parameters.get(name, otherwise))

    @property
    def axis(self):
        return int(self.parameters.get("axis", -1))


def one(f):
    return lambda c, x: f(*x)


def along(f):
    return lambda c, x: f(x[0], c.axis)


def over(f):
    return lambda c, x: f(x[0], c.sizes() or None)


def loss(f):
    return lambda c, x: f(x[0], x[1])


def transform(f):
    return lambda c, x: f(x[0], dim=c.sizes() or [-1])


def spatial(c, x):
    return x[0].dim() - 2


def conv(c, x):
    f = (F.conv1d, F.conv2d, F.conv3d)[spatial(c, x) - 1]
    weights = [w.to(x[0].dtype) for w in x[1:]]
    return f(x[0], weights[0], weights[1] if len(x) > 2 else None, c.sizes("stride") or 1, c.sizes("padding") or 0, c.sizes("dilation") or 1, int(c.number("groups", 1)))


def conv_transpose(c, x):
    f = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[spatial(c, x) - 1]
    return f(x[0], x[1], x[2] if len(x) > 2 else None, c.sizes("stride") or 1, c.sizes("padding") or 0, c.sizes("output_padding") or 0, int(c.number("groups", 1)),
             c.sizes("dilation") or 1)


def pool(kind):
    def f(c, x):
        op = getattr(F, f"{kind}_pool{spatial(c, x)}d")
        return op(x[0], c.sizes("kernel"), c.sizes("stride") or None, c.sizes("padding") or 0)
    return f


def resize(c, x):
    mode = c.parameters.get("mode", "linear")
    name = {"linear": ("linear", "bilinear", "trilinear")[spatial(c, x) - 1], "nearest": "nearest-exact", "cubic": "bicubic", "area": "area"}[mode]
    exact = {"align_corners": "corners" in c.parameters} if mode in ("linear", "cubic") else {}
    return F.interpolate(x[0], c.sizes("size"), mode=name, antialias="antialias" in c.parameters, **exact)


def depth_to_space(c, x):  # channels hold the factors first; pixel_shuffle wants them last
    factor, channels = c.sizes("by")[0], x[0].shape[1] // c.sizes("by")[0] ** 2
    return F.pixel_shuffle(x[0].unflatten(1, (factor * factor, channels)).transpose(1, 2).flatten(1, 2), factor)


def attention(c, x):
    q, k, v = (t.transpose(1, 2) for t in x[:3])
    return F.scaled_dot_product_attention(q, k, v, x[3] if len(x) > 3 else None, is_causal="causal" in c.parameters).transpose(1, 2)


def flat(f):
    """A loss that wants its classes on axis 1."""
    return lambda c, x: f(x[0].flatten(0, -2), x[1].flatten())



def product_of(f, parts):
    def whole(c, x):
        u, s, v = parts(f(x[0]))
        return (u * s.unsqueeze(-2)) @ v
    return whole


def pads(*names):
    def f(c):
        before, after = c.sizes(names[0]), c.sizes(names[-1])
        return [p for b, a in reversed(list(zip(before, after))) for p in (b, a)]
    return f


OPS = {
    **{name: one(getattr(torch, name)) for name in (
        "add sub mul div pow maximum atan2 hypot exp expm1 log log1p sqrt rsqrt sin cos tan atan asin sinh tanh erf lgamma digamma sigmoid abs floor round sign "
        "matmul tril masked_select nonzero where angle minimum acos cosh").split()},
    "less": one(torch.lt), "equal": one(torch.eq), "is_nan": one(torch.isnan), "relu": one(F.relu), "gelu": one(F.gelu), "silu": one(F.silu),
    "softplus": one(F.softplus), "elu": one(F.elu), "add_number": lambda c, x: x[0] + 1.5, "pow_number": lambda c, x: x[0] ** c.number("to", 2),
    "clamp": lambda c, x: x[0].clamp(-0.5, 0.5), "to_f32": lambda c, x: x[0].float(), "to_bf16": lambda c, x: x[0].bfloat16(), "to_i64": lambda c, x: x[0].long(),
    "sum": over(torch.sum), "mean": over(torch.mean), "var": lambda c, x: torch.var(x[0], c.sizes() or None, correction=0),
    "max": lambda c, x: x[0].max(c.axis).values, "argmax": along(torch.argmax),
    "contiguous": lambda c, x: x[0].clone(memory_format=torch.contiguous_format),
    "permute": lambda c, x: x[0].permute(c.sizes("to")).clone(memory_format=torch.contiguous_format),
    "concat": lambda c, x: torch.cat(x, c.axis), "stack": lambda c, x: torch.stack(x, c.axis), "flip": lambda c, x: x[0].flip(c.sizes()),
    "roll": lambda c, x: x[0].roll(c.sizes("by"), c.sizes()), "pad": lambda c, x: F.pad(x[0], pads("before", "after")(c)),
    "narrow": lambda c, x: x[0][tuple(slice(f, f + b) for f, b in zip(c.sizes("from"), c.sizes("by")))].clone(memory_format=torch.contiguous_format),
    "every_other": lambda c, x: x[0][(slice(None),) * (c.axis % x[0].dim()) + (slice(None, None, 2),)].clone(memory_format=torch.contiguous_format),
    "gelu_tanh": lambda c, x: F.gelu(x[0], approximate="tanh"), "leaky_relu": one(F.leaky_relu), "min": lambda c, x: x[0].min(c.axis).values,
    "scatter": lambda c, x: x[0].scatter(c.axis, x[1], x[2]), "slogdet": lambda c, x: torch.linalg.slogdet(x[0]).logabsdet,
    "adaptive_max_pool": lambda c, x: getattr(F, f"adaptive_max_pool{spatial(c, x)}d")(x[0], c.sizes("size")),
    "diagonal": lambda c, x: x[0].diagonal(dim1=-2, dim2=-1), "tile": lambda c, x: x[0].tile(c.sizes("by")), "repeat": lambda c, x: x[0].repeat_interleave(int(c.number("by", 2)), c.axis),
    "one_hot": lambda c, x: F.one_hot(x[0], int(c.number("classes", 2))).float(),
    "linear": lambda c, x: F.linear(*x), "einsum": lambda c, x: torch.einsum(c.parameters["of"], *x),
    "conv": conv, "conv_transpose": conv_transpose, "max_pool": pool("max"), "avg_pool": pool("avg"), "resize": resize, "depth_to_space": depth_to_space,
    "pad_reflect": lambda c, x: F.pad(x[0], pads("by")(c), mode="reflect"),
    "adaptive_avg_pool": lambda c, x: getattr(F, f"adaptive_avg_pool{spatial(c, x)}d")(x[0], c.sizes("size")),
    "global_avg_pool": lambda c, x: x[0].flatten(2).mean(2), "global_max_pool": lambda c, x: x[0].flatten(2).amax(2),
    "instance_norm": lambda c, x: F.instance_norm(x[0], weight=x[1], bias=x[2]),
    "group_norm": lambda c, x: F.group_norm(x[0], int(c.number("groups", 1)), x[1], x[2]),
    "layer_norm": lambda c, x: F.layer_norm(x[0], x[0].shape[-1:], x[1], x[2]),
    "rms_norm": lambda c, x: F.rms_norm(x[0], x[0].shape[-1:], x[1], 1e-6), "batch_norm": lambda c, x: F.batch_norm(x[0], None, None, x[1], x[2], True),
    "softmax": along(F.softmax), "log_softmax": along(F.log_softmax), "cross_entropy": flat(F.cross_entropy),
    "smoothed_cross_entropy": flat(lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1)), "mse_loss": loss(F.mse_loss), "l1_loss": loss(F.l1_loss),
    "kl_divergence": loss(lambda x, y: F.kl_div(x, y, reduction="batchmean")), "huber_loss": loss(F.huber_loss),
    "bce_with_logits": loss(F.binary_cross_entropy_with_logits), "gaussian_nll": lambda c, x: F.gaussian_nll_loss(x[0], x[2], x[1]),
    "poisson_nll": loss(F.poisson_nll_loss), "attention": attention, "embedding": lambda c, x: F.embedding(x[1], x[0]),
    "cumsum": along(torch.cumsum), "cumprod": along(torch.cumprod), "logcumsumexp": along(torch.logcumsumexp), "cummax": lambda c, x: x[0].cummax(c.axis).values,
    "index_select": lambda c, x: x[0].index_select(c.axis, x[1]), "index_add": lambda c, x: x[0].index_add(c.axis, x[1], x[2]),
    "gather": lambda c, x: x[0].gather(c.axis, x[1]), "scatter_add": lambda c, x: x[0].scatter_add(c.axis, x[1], x[2]), "take": one(torch.take),
    "masked_fill": lambda c, x: x[0].masked_fill(x[1], -1), "sort": lambda c, x: x[0].sort(dim=c.axis, stable=True, descending="descending" in c.parameters),
    "topk": lambda c, x: x[0].topk(int(c.number("k", 1)), c.axis).values, "unique": lambda c, x: x[0].unique(return_inverse=True, return_counts=True),
    "searchsorted": one(torch.searchsorted), "bincount": lambda c, x: x[0].bincount(*x[1:], minlength=int(c.number("bins", 0))),
    "quantile": lambda c, x: x[0].quantile(c.number("q", 0.5), c.axis), "median": lambda c, x: x[0].quantile(0.5, c.axis),
    "cholesky": one(torch.linalg.cholesky), "inv": one(torch.linalg.inv), "det": one(torch.linalg.det), "solve": one(torch.linalg.solve),
    "cholesky_solve": lambda c, x: torch.cholesky_solve(x[1], x[0]), "triangular_solve": lambda c, x: torch.linalg.solve_triangular(x[0], x[1], upper=False),
    "qr": one(torch.linalg.qr), "singular_values": one(torch.linalg.svdvals), "eigvalsh": one(torch.linalg.eigvalsh),
    "svd": product_of(lambda x: torch.linalg.svd(x, full_matrices=False), lambda f: f), "eigh": product_of(torch.linalg.eigh, lambda f: (f[1], f[0], f[1].mT)),
    "pinv": one(torch.linalg.pinv), "lstsq": lambda c, x: torch.linalg.lstsq(x[0], x[1]).solution, "matrix_exp": one(torch.linalg.matrix_exp),
    "fft": transform(torch.fft.fftn), "ifft": transform(torch.fft.ifftn), "rfft": transform(torch.fft.rfftn),
    "irfft": lambda c, x: torch.fft.irfft(x[0], int(c.number("size", -1))) if "size" in c.parameters else torch.fft.irfftn(x[0], dim=c.sizes() or [-1]),
    "conj": lambda c, x: x[0].conj().resolve_conj().clone(), "random_uniform": lambda c, x: torch.rand_like(x[0]), "random_normal": lambda c, x: torch.randn_like(x[0]),
    "random_bernoulli": lambda c, x: torch.empty_like(x[0], dtype=torch.bool).bernoulli_(0.3), "random_exponential": lambda c, x: torch.empty_like(x[0]).exponential_(),
    "random_integers": lambda c, x: torch.randint(0, 1000, x[0].shape), "random_permutation": lambda c, x: torch.randperm(x[0].numel()),
    "random_gamma": lambda c, x: torch._standard_gamma(torch.full_like(x[0], c.number("k", 2.5))),
}
# these see channels first
FIRST = {"conv", "conv_transpose", "max_pool", "avg_pool", "resize", "depth_to_space", "pad_reflect", "adaptive_avg_pool", "adaptive_max_pool", "global_avg_pool", "global_max_pool",
         "instance_norm", "group_norm", "batch_norm"}
FACTORS = {"qr": lambda q, r: (q * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2), r * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-1))}


class Work:
    """The op, or the gradients of its floating inputs from that of its results."""

    def __init__(self, line, device):
        self.case = Case(line, device)
        self.first = self.case.op in FIRST
        self.inputs = self.case.inputs
        if self.first:
            self.inputs = [t.movedim(-1, 1) if t.dim() > 2 else t for t in self.inputs]

    def prepared(self, contiguous):
        c = self.case
        inputs = [t.contiguous() if contiguous and self.first else t for t in self.inputs]
        if not c.gradient:
            def forward():
                with torch.no_grad():
                    return OPS[c.op](c, inputs)
            return forward
        inputs = [t.detach().requires_grad_() if t.is_floating_point() or t.is_complex() else t for t in inputs]
        leaves = [t for t in inputs if t.requires_grad]

        def outputs():
            y = OPS[c.op](c, inputs)
            return [t for t in (y if isinstance(y, tuple) else (y,)) if t.requires_grad]
        seeds = [self.seed(t, n) for n, t in enumerate(outputs())]
        return lambda: torch.autograd.grad(outputs(), leaves, seeds)

    def seed(self, like, number):
        shape = list(like.movedim(1, -1).shape if self.first and like.dim() > 2 else like.shape) + [2] * like.is_complex()
        x = torch.from_numpy(4 * uniform(100 + number, math.prod(shape)) - 2).reshape(shape)
        x = (torch.view_as_complex(x.float()) if like.is_complex() else x.to(like.dtype)).to(like.device)
        return torch.empty_like(like).copy_(x.movedim(-1, 1) if self.first and like.dim() > 2 else x)

    def values(self):
        y = self.prepared(True)()
        y = list(y) if isinstance(y, (tuple, list)) else [y]
        if self.case.op in FACTORS and not self.case.gradient:
            y = FACTORS[self.case.op](*y)
        if self.first:
            y = [t.movedim(1, -1) if t.dim() > 2 else t for t in y]
        return [torch.view_as_real(t) if t.is_complex() else t for t in y]


def least_mean(run, seconds, wait):
    def timed(times):
        begin = time.perf_counter()
        for _ in range(times):
            run()
        wait()
        return time.perf_counter() - begin
    timed(2)
    times = max(1, int(seconds / 10 / timed(1)))
    best, spent = float("inf"), 0.0
    for group in range(10):
        if group >= 2 and spent >= 3 * seconds:
            break
        t = timed(times)
        spent += t
        best = min(best, t / times)
    return best


last = {}  # the case that was asked for last: turns ask for it again


def answer(line, device):
    what, argument, rest = line.split(" ", 2)
    if rest not in last:
        last.clear()
        last[rest] = Work(rest, device)
    work = last[rest]
    if what == "time":
        best = float("inf")
        for contiguous in (True, False) if work.first else (True,):
            run, wait = work.prepared(contiguous), lambda: None
            if device == "cuda":
                wait = torch.cuda.synchronize
                try:
                    run = captured(run).replay
                except RuntimeError:  # what depends on values cannot be captured
                    torch.cuda.synchronize()
            best = min(best, least_mean(run, float(argument), wait))
        return {"us": round(best * 1e6, 3)}
    results = work.values()
    with open(argument, "wb") as file:
        for t in results:
            file.write(t.detach().double().contiguous().cpu().numpy().tobytes())
    return {"shapes": [list(t.shape) for t in results]}


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    args.add_argument("--threads", type=int, default=2)
    args = args.parse_args()
    torch.set_num_threads(args.threads)
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = False  # products are f32 by default on either side, PyTorch's convolutions are not
    for line in sys.stdin:
        try:
            reply = answer(line.strip(), args.device)
        except Exception as e:  # one case must not end the others
            reply = {"error": f"{type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}"}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()

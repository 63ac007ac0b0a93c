#!/usr/bin/env python3
"""Training steps of the climate recipes' models in PyTorch, to stand beside Tenon's (climate_steps.sh).

The same layers, sizes, losses and optimisers as the recipes say, on random data in memory. Prints one JSON line a model and mode:
{"recipe", "mode", "ms", "params"}; ms is the median of the timed steps.

    python torch_climate.py [--recipes darcy,slp-north-atlantic,etopo-super-resolution] [--modes eager,channels_last,compile] [--threads 2]
"""
import argparse, json, os, statistics, time, tomllib
import torch, torch.nn as nn, torch.nn.functional as F

RECIPES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../plugins/climate/recipes")


class SpectralConv2d(nn.Module):
    def __init__(self, c, m1, m2):
        super().__init__(); self.m1, self.m2 = m1, m2
        self.w = nn.Parameter(torch.randn(2, c, c, m1, m2, 2) / c)

    def forward(self, x):
        b, c, h, w = x.shape; m1, m2 = self.m1, self.m2
        f = torch.fft.rfft2(x); W = torch.view_as_complex(self.w)
        o = torch.zeros(b, c, h, w // 2 + 1, dtype=f.dtype)
        o[:, :, :m1, :m2] = torch.einsum("bixy,ioxy->boxy", f[:, :, :m1, :m2], W[0])
        o[:, :, -m1:, :m2] = torch.einsum("bixy,ioxy->boxy", f[:, :, -m1:, :m2], W[1])
        return torch.fft.irfft2(o, s=(h, w))


class Fno2d(nn.Module):
    def __init__(self, i, o, width, layers, modes, projection, **_):
        super().__init__()
        self.lift = nn.Sequential(nn.Conv2d(i, projection, 1), nn.GELU(), nn.Conv2d(projection, width, 1))
        self.spec = nn.ModuleList([SpectralConv2d(width, *modes) for _ in range(layers)])
        self.skip = nn.ModuleList([nn.Conv2d(width, width, 1) for _ in range(layers)])
        self.proj = nn.Sequential(nn.Conv2d(width, projection, 1), nn.GELU(), nn.Conv2d(projection, o, 1))

    def forward(self, x):
        x = self.lift(x)
        for i, (s, k) in enumerate(zip(self.spec, self.skip)):
            x = s(x) + k(x)
            if i < len(self.spec) - 1: x = F.gelu(x)
        return self.proj(x)


class Block(nn.Module):
    def __init__(self, c, act):
        super().__init__(); self.a, self.b, self.act = nn.Conv2d(c, c, 3, padding=1), nn.Conv2d(c, c, 3, padding=1), act

    def forward(self, x): return x + self.b(self.act(self.a(self.act(x))))


class ResNet(nn.Module):
    def __init__(self, i, o, width, blocks, activation, dropout=0, members=1, **_):
        super().__init__(); act = {"gelu": F.gelu, "relu": F.relu, "silu": F.silu}[activation]
        self.act, self.drop = act, dropout
        self.members = nn.ModuleList([nn.ModuleDict(dict(first=nn.Conv2d(i, width, 3, padding=1), blocks=nn.Sequential(*[Block(width, act) for _ in range(blocks)]),
                                                         last=nn.Conv2d(width, o, 1))) for _ in range(members)])

    def forward(self, x):
        return torch.stack([m["last"](F.dropout(self.act(m["blocks"](m["first"](x))), self.drop)) for m in self.members])


class UNet(nn.Module):
    """Stages of two convolutions with group normalisation and GELU, halved by stride 2, joined by transposed convolutions; the field is
    padded with zeros to a size that halves evenly, and cut again."""
    def __init__(self, i, o, width, stages, max_width=256, **_):
        super().__init__()
        w = [min(max_width, width << s) for s in range(stages)]
        norm = lambda c: nn.Sequential(nn.GroupNorm(min(8, c), c), nn.GELU())
        stage = lambda a, b, s=1: nn.Sequential(nn.Conv2d(a, b, 3, stride=s, padding=1), norm(b), nn.Conv2d(b, b, 3, padding=1), norm(b))
        self.down = nn.ModuleList([stage(i, w[0])] + [stage(w[s - 1], w[s], 2) for s in range(1, stages)])
        self.upsample = nn.ModuleList([nn.ConvTranspose2d(w[s + 1], w[s], 2, stride=2) for s in reversed(range(stages - 1))])
        self.up = nn.ModuleList([stage(2 * w[s], w[s]) for s in reversed(range(stages - 1))])
        self.head, self.divisor = nn.Conv2d(w[0], o, 1), 1 << (stages - 1)

    def forward(self, x):
        h, w = x.shape[2:]
        eh, ew = -h % self.divisor, -w % self.divisor
        x = F.pad(x, (ew // 2, ew - ew // 2, eh // 2, eh - eh // 2))
        skips = []
        for d in self.down: x = d(x); skips.append(x)
        skips.pop()
        for u, s in zip(self.upsample, self.up): x = s(torch.cat((u(x), skips.pop()), 1))
        return self.head(x)[:, :, eh // 2:eh // 2 + h, ew // 2:ew // 2 + w]


def relative_h1(p, y):
    def d(v, axis):  # central differences, one-sided at the ends, spacing 1 / n
        return torch.gradient(v, spacing=1.0 / v.shape[axis], dim=axis)[0]
    e, n = p - y, 0
    num = (e ** 2).sum((1, 2, 3)) + sum((d(e, a) ** 2).sum((1, 2, 3)) for a in (2, 3))
    den = (y ** 2).sum((1, 2, 3)) + sum((d(y, a) ** 2).sum((1, 2, 3)) for a in (2, 3))
    return (num / den).sqrt().mean()


def make(name):
    r = tomllib.load(open(f"{RECIPES}/{name}.toml", "rb")); m, b = dict(r["model"]), r["train"]["batch"]
    m.pop("name"); m["members"] = 1; g = torch.Generator().manual_seed(0); rand = lambda *s: torch.randn(*s, generator=g)
    if name == "darcy":
        net = Fno2d(3, 1, m["width"], m.get("layers", 4), m["modes"], m["projection"])
        return net, rand(b, 3, 16, 16), rand(b, 1, 16, 16), lambda o, y: relative_h1(o * 0.3 + 0.4, y)
    if name == "slp-north-atlantic":
        f = r["forecast"]; leads = f.get("corrected") or len(f["leads"])
        net = UNet(f["days"] + leads + 5, leads, **m)
        base, w = rand(b, leads, 17, 33), torch.rand(1, leads, 17, 1, generator=g)
        return net, rand(b, f["days"] + leads + 5, 17, 33), rand(b, leads, 17, 33), lambda o, y: ((o + base - y) ** 2 * w).mean()
    p, n = r["patch"]["size"], r["data"]["factor"] ** 2
    net = ResNet(3, n, **m); w = torch.rand(b, 1, p, p, generator=g)
    return net, rand(b, 3, p, p), rand(b, n, p, p), lambda o, y: ((o - o.mean(2, keepdim=True) - y) ** 2 * w).mean()


def main():
    a = argparse.ArgumentParser(); a.add_argument("--recipes", default="darcy,slp-north-atlantic,etopo-super-resolution")
    a.add_argument("--modes", default="eager,channels_last,compile"); a.add_argument("--threads", type=int, default=2); a.add_argument("--steps", type=int, default=40)
    a = a.parse_args(); torch.set_num_threads(a.threads)
    for name in a.recipes.split(","):
        for mode in a.modes.split(","):
            torch.manual_seed(0); model, x, y, loss = make(name); model.train()
            if mode == "channels_last": model = model.to(memory_format=torch.channels_last); x = x.contiguous(memory_format=torch.channels_last)
            run = torch.compile(model) if mode == "compile" else model
            opt = torch.optim.AdamW(model.parameters(), 1e-4, fused=True)

            def step():
                opt.zero_grad(set_to_none=True); loss(run(x), y).backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0) if name != "darcy" else None
                opt.step()
            try:
                for _ in range(5): step()
            except Exception as e:  # a mode that cannot run this model
                print(json.dumps(dict(recipe=name, mode=mode, ms=None, error=str(e)[:80]))); continue
            times = []
            for _ in range(a.steps):
                t = time.perf_counter(); step(); times.append(1e3 * (time.perf_counter() - t))
            print(json.dumps(dict(recipe=name, mode=mode, ms=round(statistics.median(times), 3), params=sum(q.numel() for q in model.parameters()))), flush=True)


main()

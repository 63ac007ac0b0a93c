#!/usr/bin/env python3
"""PyTorch's training step of the finance recipes' models, on windows gathered from series in memory; one JSON line a mode.

    python torch_finance.py --model nlinear|patchtst|lstm --look-back 96 --horizon 720 --batch 256 [--features 1] [--outputs 1]
                            [--loss mse|student] [--threads 2] [--seconds 6] [--modes eager compile]
The optimiser is AdamW in its fastest form (fused). A step: gather a batch, forward, loss, backward, update.
"""
import argparse, json, statistics, time
import torch
from torch import nn


class NLinear(nn.Module):
    def __init__(self, a):
        super().__init__()
        self.shape, self.norm = (a.horizon, a.outputs), a.norm
        self.linear = nn.Linear(a.look_back * a.features, a.horizon * a.outputs, bias=a.bias)
        nn.init.zeros_(self.linear.weight)
        self.rate = nn.Parameter(torch.tensor([-7.0])) if a.reversion else None
        self.register_buffer("steps", torch.arange(1.0, a.horizon + 1).view(1, -1, 1))

    def forward(self, x):
        last = x[:, -1:, :1]
        z = x - last if self.norm == "last" else x
        if self.norm == "instance":
            mean, sd = x.mean(1, keepdim=True).detach(), torch.sqrt(x.var(1, keepdim=True, unbiased=False) + 1e-5).detach()
            z = (x - mean) / sd
        y = self.linear(z.flatten(1)).view(-1, *self.shape)
        if self.norm == "last": y = y + last
        if self.norm == "instance": y = y * sd + mean
        return y if self.rate is None else y + torch.expm1(-torch.exp(self.rate) * self.steps) * last


class Lstm(nn.Module):
    def __init__(self, a):
        super().__init__()
        self.shape = (a.horizon, a.outputs)
        self.lstm, self.head = nn.LSTM(a.features, 32, batch_first=True), nn.Linear(32, a.horizon * a.outputs)

    def forward(self, x):
        last = x[:, -1:, :1]
        return self.head(self.lstm(x - last)[0][:, -1]).view(-1, *self.shape) + last


class PatchTst(nn.Module):
    def __init__(self, a, patch=16, stride=8, width=16, heads=4, ff=128, layers=3, dropout=0.3):
        super().__init__()
        self.shape, self.patch, self.stride = (a.horizon, a.outputs), patch, stride
        n = (a.look_back - patch) // stride + 2
        self.embed, self.position, self.dropout = nn.Linear(patch, width), nn.Parameter(0.02 * torch.randn(n, width)), nn.Dropout(dropout)
        layer = nn.TransformerEncoderLayer(width, heads, ff, dropout, "gelu", batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, layers), nn.Linear(n * width, a.horizon * a.outputs)

    def forward(self, x):
        mean, sd = x.mean(1, keepdim=True).detach(), torch.sqrt(x.var(1, keepdim=True, unbiased=False) + 1e-5).detach()
        z = ((x - mean) / sd)[..., 0]
        z = torch.cat([z, z[:, -1:].expand(-1, self.stride)], 1).unfold(1, self.patch, self.stride)
        z = self.encoder(self.dropout(self.embed(z) + self.position))
        return self.head(z.flatten(1)).view(-1, *self.shape) * sd + mean


def student_loss(y, target):
    excess = torch.exp(y[..., 1]) + 0.1
    degrees = excess + 2
    scale = torch.sqrt(torch.exp(y[..., 0]) * excess / degrees)
    return -torch.distributions.StudentT(degrees, 0.0, scale, validate_args=False).log_prob(target).mean()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--model", required=True)
    for name, value in (("look-back", 96), ("horizon", 720), ("batch", 256), ("features", 1), ("outputs", 1), ("threads", 2), ("rounds", 7)):
        p.add_argument("--" + name, type=int, default=value)
    p.add_argument("--loss", default="mse")
    p.add_argument("--norm", default="last")
    p.add_argument("--reversion", action="store_true")
    p.add_argument("--no-bias", dest="bias", action="store_false")
    p.add_argument("--seconds", type=float, default=6)
    p.add_argument("--modes", nargs="+", default=["eager", "compile"])
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    series = torch.randn(8, 6000 + a.look_back + a.horizon, a.features).cumsum(1)
    rows = torch.arange(a.look_back + a.horizon)
    for mode in a.modes:
        model = {"nlinear": NLinear, "lstm": Lstm, "patchtst": PatchTst}[a.model](a)
        run = torch.compile(model) if mode == "compile" else model
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

        def step():
            which, start = torch.randint(8, (a.batch, 1)), torch.randint(6000, (a.batch, 1))
            window = series[which, start + rows]
            x, target = window[:, : a.look_back], window[:, a.look_back :, 0]
            y = run(x)
            loss = student_loss(y, target) if a.loss == "student" else nn.functional.mse_loss(y[..., 0], target)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()

        try:
            for _ in range(5): step()
        except Exception as e:  # a machine without a compiler for inductor
            print(json.dumps({"model": a.model, "mode": mode, "error": str(e).splitlines()[0][:200]}), flush=True)
            continue
        times = []
        for _ in range(a.rounds):
            n, begin = 0, time.perf_counter()
            while time.perf_counter() - begin < a.seconds / a.rounds:
                step(); n += 1
            times.append((time.perf_counter() - begin) / n)
        print(json.dumps({"model": a.model, "mode": mode, "ms": 1e3 * statistics.median(times)}), flush=True)


main()

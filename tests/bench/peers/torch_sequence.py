#!/usr/bin/env python3
"""The peer of genomics.basset and genomics.dilated: the training step of a run's own model in PyTorch, on letters drawn at random.

    python torch_sequence.py RUN [--threads 2] [--seconds 6]        RUN: a run directory; its recipe says what is built

Reads recipe.toml and task.json of the run, builds the same layers with one-hot input [N, 4, L], takes the same optimiser, batch, clipping,
dropout and label smoothing, and times whole steps (forward, loss, backward, update): eager, and compiled where torch.compile works.
Prints one JSON line: milliseconds a step (median), beside those of the run (metrics.jsonl).
"""
import argparse, json, pathlib, statistics, sys, time, tomllib
import torch, torch.nn as nn, torch.nn.functional as F


class Head(nn.Module):
    def __init__(self, kind, positions, channels, hidden, classes, dropout):
        super().__init__()
        self.kind = kind
        sizes = [positions * channels if kind == "dense" else 2 * channels if kind == "mean_max" else channels, *hidden, classes]
        layers = []
        for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
            layers += ([nn.ReLU()] if i else []) + ([nn.Dropout(dropout)] if dropout else []) + [nn.Linear(a, b)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        if self.kind == "dense":
            x = x.flatten(1)
        elif self.kind == "mean_max":
            x = torch.cat([x.mean(2), x.amax(2)], 1)
        else:
            x = x.mean(2) if self.kind == "mean" else x.amax(2)
        return self.layers(x)


class Block(nn.Module):
    def __init__(self, c, kernel, dilation, dropout):
        super().__init__()
        self.f = nn.Sequential(nn.BatchNorm1d(c), nn.ReLU(), nn.Conv1d(c, c, kernel, padding="same", dilation=dilation, bias=False), nn.BatchNorm1d(c), nn.ReLU(),
                               nn.Conv1d(c, c, 1), nn.Dropout(dropout) if dropout else nn.Identity())

    def forward(self, x):
        return x + self.f(x)


def build(m, length, classes):
    if m["name"] == "genomics.dilated":
        c, positions = m["filters"], length // m["pool"] // m["final_pool"]
        layers = [nn.Conv1d(4, c, m["kernel"], padding="same")] + ([nn.MaxPool1d(m["pool"])] if m["pool"] > 1 else [])
        layers += [Block(c, m["block_kernel"], d, m["block_dropout"]) for d in m["dilations"]] + [nn.BatchNorm1d(c), nn.ReLU()]
        layers += [nn.MaxPool1d(m["final_pool"])] if m["final_pool"] > 1 else []
        return nn.Sequential(*layers, Head(m["head"], positions, c, m["hidden"], classes, m["dropout"]))
    layers, before, positions = [], 4, length
    for c, k, p in zip(m["filters"], m["kernels"], m["pools"]):
        layers += [nn.Conv1d(before, c, k, padding="same", bias=False), nn.BatchNorm1d(c), nn.ReLU()] + ([nn.MaxPool1d(p)] if p > 1 else [])
        before, positions = c, positions // p
    return nn.Sequential(*layers, Head("dense", positions, before, m["hidden"], classes, m["dropout"]))


def both_strands(model):
    """genomics' strand = "tied" is another network; the peer of it is one pass over both strands and the mean of the logits."""
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            a, b = self.model(torch.cat([x, x.flip(1, 2)])).chunk(2)
            return (a + b) / 2
    return Both()


def timed(step, seconds):
    for _ in range(5):
        step()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1e3


args = argparse.ArgumentParser()
args.add_argument("run", type=pathlib.Path)
args.add_argument("--threads", type=int, default=2)
args.add_argument("--seconds", type=float, default=6)
args = args.parse_args()
torch.set_num_threads(args.threads)
torch.manual_seed(0)
recipe, task = tomllib.loads((args.run / "recipe.toml").read_text()), json.loads((args.run / "task.json").read_text())
lines = [json.loads(line) for line in (args.run / "metrics.jsonl").read_text().splitlines()]
steps = [line for line in lines if line["kind"] == "step"]
ours = statistics.median((b["seconds"] - a["seconds"]) / (b["step"] - a["step"]) for a, b in zip(steps[1:], steps[2:])) * 1e3
batch, length, classes, o = recipe["train"]["batch"], task["length"], len(task["classes"]), recipe["optimizer"]
codes, labels = torch.randint(0, 4, (batch, length)), torch.randint(0, classes, (batch,))
result = {"run": str(args.run), "model": recipe["model"]["name"], "batch": batch, "length": length, "tenon_ms": round(ours, 3)}
for mode in ("eager", "compile"):
    try:
        model = build(recipe["model"], length, classes)
        model = both_strands(model) if recipe["model"]["strand"] == "tied" else model
        kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[o["name"]]
        optimiser = kind(model.parameters(), lr=1e-3, betas=(o["beta1"], o["beta2"]), eps=o["eps"], weight_decay=o["weight_decay"])
        run = torch.compile(model) if mode == "compile" else model

        def step():
            x = F.one_hot(codes, 4).transpose(1, 2).float()
            optimiser.zero_grad(set_to_none=True)
            F.cross_entropy(run(x), labels, label_smoothing=recipe["loss"]["label_smoothing"]).backward()
            if o["clip"] > 0:
                nn.utils.clip_grad_norm_(model.parameters(), o["clip"])
            optimiser.step()

        result[f"torch_{mode}_ms"] = round(timed(step, args.seconds), 3)
    except Exception as e:  # no compiler, say: the other mode still counts
        print(f"{mode}: {e}", file=sys.stderr)
result["ratio_to_best"] = round(ours / min(v for k, v in result.items() if k.startswith("torch_")), 3)
print(json.dumps(result))

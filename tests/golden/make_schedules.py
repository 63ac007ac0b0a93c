"""Writes schedules.inc: learning rates of 100 steps as torch.optim.lr_scheduler gives them.  python3 tests/golden/make_schedules.py

Step t of the run is progress t / 100 of ours. A schedule {"name", {rates}} starts from the rate 0.4.
"""
import math
import pathlib

import torch
from torch.optim import lr_scheduler as lrs

STEPS, BASE = 100, 0.4


def rates(make, base=BASE, steps=STEPS, scores=None):
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base)
    schedule = make(optimiser)
    out = []
    for t in range(steps):
        out.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step(*([scores[t]] if scores else []))
    return out


def after_warmup(main):
    """Ours rises as t / 10; PyTorch's first factor must be above 0."""
    return lambda o: lrs.SequentialLR(o, [lrs.LinearLR(o, 1e-15, total_iters=10), main(o)], [10])


# A score that mostly rises, with plateaus.
SCORES = [math.sin(0.11 * t) + 0.004 * t for t in range(STEPS)]

CASES = {
    "constant": rates(lambda o: lrs.ConstantLR(o, factor=1)),
    "step": rates(lambda o: lrs.StepLR(o, 30, gamma=0.1)),
    "step floor": [max(0.02 * BASE, r) for r in rates(lambda o: lrs.StepLR(o, 10, gamma=0.5))],
    "multi_step": rates(lambda o: lrs.MultiStepLR(o, [50, 75, 90], gamma=0.3)),
    "cosine": rates(lambda o: lrs.CosineAnnealingLR(o, STEPS)),
    "cosine floor": rates(lambda o: lrs.CosineAnnealingLR(o, STEPS, eta_min=0.1 * BASE)),
    # PyTorch's rise ends one step before pct_start of its steps, and its fall at the last but one: with 101 steps those are 30 and 100.
    "one_cycle": rates(lambda o: lrs.OneCycleLR(o, BASE, total_steps=101, pct_start=31 / 101, div_factor=25, final_div_factor=math.inf, cycle_momentum=False)),
    "poly": rates(lambda o: lrs.PolynomialLR(o, STEPS, power=0.9)),
    "warmup cosine": rates(after_warmup(lambda o: lrs.CosineAnnealingLR(o, STEPS - 10))),
    "warmup poly": rates(after_warmup(lambda o: lrs.PolynomialLR(o, STEPS - 10, power=2))),
    "warmup constant": rates(after_warmup(lambda o: lrs.ConstantLR(o, factor=1))),
    "plateau": rates(lambda o: lrs.ReduceLROnPlateau(o, "max", factor=0.5, patience=3, threshold=0, eps=0), scores=SCORES),
    "plateau floor": rates(lambda o: lrs.ReduceLROnPlateau(o, "max", factor=0.3, patience=2, threshold=0, eps=0, min_lr=0.05 * BASE), scores=SCORES),
    # each part over its own steps
    "chained": rates(lambda o: lrs.ConstantLR(o, factor=1), steps=20)
    + rates(lambda o: lrs.CosineAnnealingLR(o, 30, eta_min=0.1 * BASE), steps=30)
    + rates(lambda o: lrs.PolynomialLR(o, 50, power=1), base=0.1 * BASE, steps=50),
}
text = f"// Made by make_schedules.py with PyTorch {torch.__version__.split('+')[0]}: the rates of {STEPS} steps.\n"
for name, values in CASES.items():
    text += f'{{"{name}", {{{", ".join(f"{v:.14g}" for v in values)}}}}},\n'
(pathlib.Path(__file__).parent / "schedules.inc").write_text(text)

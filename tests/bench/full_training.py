#!/usr/bin/env python3
"""Trains one model of each field on real data by `tenon train`, on the GPU and on this machine's CPU, and prints a Markdown table: steps a
second with loading, augmentation and reading of losses, between a run's first and last log line (so neither the first step's preparation nor
reading the data set counts; both are in the seconds of the whole command, which stand beside). On a GPU a training of two steps goes before, untimed.

    python3 tests/bench/full_training.py [--tenon build/release/bin/tenon] [--data DIR] [--seconds 8] [--devices cuda,cpu] [--jobs medical,finance]

--data names a folder as TENON_DATA does; what is not there is left out of the table. --seconds: how long a job trains on each device.
"""
import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASSET = """name = "basset"
task = "genomics.classification"
[data]
root = "data:arabidopsis-promoters"
classes = ["background", "promoter"]
files = ["Arabidopsis_non_prom.fa", "Arabidopsis_tata.fa"]
duplicates = "drop"
test_share = 0.2
[model]
name = "genomics.basset"
[optimizer]
name = "adamw"
"""
#: recipe (or its text), data it needs under DATA (None: ships with the project), what is changed
JOBS = {
    "medical": ("medical/recipes/hippocampus-sample.toml", None, ["model.width=32", "train.batch=2", "train.precision=auto"]),
    "climate": ("climate/recipes/darcy.toml", None, ["model.width=64", "model.modes=[8,8]", "train.batch=64"]),
    "genomics": (BASSET, "genomics/promoters-arabidopsis/Arabidopsis_tata.fa", ["train.batch=64", "train.precision=auto"]),
    "finance": ("finance/recipes/etth1.toml", "finance/ett/ETTh1.csv",
                ["model.name=finance.lstm", "model.hidden=128", "model.layers=2", "window.look_back=64", "window.horizons=[24]", "train.batch=64",
                 "train.precision=auto"]),
}
COMMON = ["train.epochs=0", "train.evaluate=false", "train.validate_every=0", "train.log_every=10"]


def train(a, job, device, length):
    """`length`: settings that end the training."""
    recipe, _, changes = JOBS[job]
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "run"
        file = ROOT / "plugins" / recipe
        if recipe.count("\n"):
            file = pathlib.Path(folder) / f"{job}.toml"
            file.write_text(recipe)
        begin = time.perf_counter()
        done = subprocess.run([a.tenon, "train", str(file), "--run", str(run), "--device", device, *changes, *COMMON,
                               *length, "--quiet"], capture_output=True, text=True,
                              env={**os.environ, **({"TENON_DATA": a.data} if a.data else {})})
        whole = time.perf_counter() - begin
        if done.returncode != 0:
            return {"error": (done.stderr.strip().splitlines() or ["?"])[0]}
        logged = [json.loads(line) for line in open(run / "metrics.jsonl")]
        steps = [line for line in logged if line["kind"] == "step"]
        state = json.load(open(run / "state.json"))
        if len(steps) < 2:
            return {"error": f"{steps[-1]['step'] if steps else 0} steps, {' '.join(length)}: too few", "few": True}
        rate = (steps[-1]["step"] - steps[0]["step"]) / (steps[-1]["seconds"] - steps[0]["seconds"])
        return {"rate": rate, "steps": steps[-1]["step"], "whole": whole, "waiting": state.get("waiting_share", 0), "precision": state["precision"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenon", default=str(ROOT / "build/release/bin/tenon"))
    parser.add_argument("--data", default=os.environ.get("TENON_DATA", ""))
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--devices", default="cuda,cpu")
    parser.add_argument("--jobs", default=",".join(JOBS))
    a = parser.parse_args()
    if unknown := [job for job in a.jobs.split(",") if job not in JOBS]:
        parser.error(f"unknown job {unknown[0]} (known: {', '.join(JOBS)})")
    failed = False
    devices = a.devices.split(",")
    print("| field | " + " | ".join(f"{d}: steps/s | waiting for data | steps, seconds in all" for d in devices) + " | ratio |")
    print("|---" * (3 * len(devices) + 2) + "|")
    for job in a.jobs.split(","):
        needs = JOBS[job][1]
        if needs and not (pathlib.Path(a.data) / needs).exists():
            print(f"{job}: left out, {needs} is not under --data", flush=True)
            continue
        got = []
        for device in devices:
            if device != "cpu":  # chooses how convolutions and products are computed, which the training below knows then
                train(a, job, device, ["train.steps=2", "train.minutes=0"])
            for longer in (1, 4):  # building cuDNN's plans before the first step may take some seconds
                done = train(a, job, device, ["train.steps=0", f"train.minutes={longer * a.seconds / 60}"])
                if "few" not in done:
                    break
            got.append(done)
        failed = failed or any("error" in g for g in got)
        cells = [f"{g['rate']:.1f} ({g['precision']}) | {100 * g['waiting']:.1f} % | {g['steps']}, {g['whole']:.1f}" if "rate" in g else f"{g['error']} | | " for g in got]
        ratio = f"{got[0]['rate'] / got[1]['rate']:.1f}" if len(got) == 2 and all("rate" in g for g in got) else ""
        print(f"| {job} | " + " | ".join(cells) + f" | {ratio} |", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())

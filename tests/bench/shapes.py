#!/usr/bin/env python3
"""Ops of all kinds over sizes of all kinds (shapes/cases.txt) beside PyTorch, in turns, and their values compared; prints a Markdown table, slowest ratio first.

    python3 tests/bench/shapes.py [--device cpu|cuda] [--only REGEX] [--turns 3] [--seconds 0.1] [--threads 2] [--values] [--binary FILE] [--json FILE]

Needs a build with TENON_BUILD_BENCH (shapes_bench) and the peers' Python (peers/setup.sh, or PYTHON). Each program stays for the whole run, and answers in
turn; the least time of the turns counts. --values compares the results alone: the largest difference, as a part of the largest value. A GPU's clock is the
recorded op replayed on our side, a CUDA graph on PyTorch's.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import numpy as np

here = pathlib.Path(__file__).resolve().parent
# what 2^n rounded sums of a type may differ by
BOUNDS = {"f64": 1e-9, "f32": 2e-4, "c64": 2e-4, "f16": 1e-2, "bf16": 4e-2}


class Program:
    def __init__(self, command):
        self.command = command
        self.start()

    def start(self):
        self.process = subprocess.Popen([str(c) for c in self.command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if answer:
            return json.loads(answer)
        status = self.process.wait()
        self.start()
        return {"error": f"the program ended with status {status}"}


def values(program, case, folder):
    path = pathlib.Path(folder) / "values"
    answer = program.ask(f"values {path} {case}")
    if "error" in answer:
        return answer["error"], []
    all_values, out = np.fromfile(path, dtype=np.float64), []
    for shape in answer["shapes"]:
        count = int(np.prod(shape))
        out.append(all_values[:count].reshape(shape))
        all_values = all_values[count:]
    return None, out


def difference(ours, theirs):
    """The largest difference, as a part of the largest value; infinite where shapes, or what is not finite, differ."""
    worst = 0.0
    if len(ours) != len(theirs):
        return float("inf")
    for a, b in zip(ours, theirs):
        if a.size != b.size or a.squeeze().shape != b.squeeze().shape or not np.array_equal(np.isnan(a), np.isnan(b)):
            return float("inf")
        a, b = a[np.isfinite(b)], b[np.isfinite(b)]
        if b.size:
            worst = max(worst, float(np.max(np.abs(a - b)) / max(np.max(np.abs(b)), 1e-30)))
    return worst


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    args.add_argument("--only", default="")
    args.add_argument("--turns", type=int, default=3)
    args.add_argument("--seconds", type=float, default=0.1)
    args.add_argument("--threads", type=int, default=2)
    args.add_argument("--values", action="store_true")
    args.add_argument("--binary", default=here.parent.parent / "build/release/bin/shapes_bench")
    args.add_argument("--json", help="a line a case, as they come")
    args.add_argument("--until", type=float, default=1e9, help="seconds after which no case is begun")
    args = args.parse_args()
    python = os.environ.get("PYTHON") or subprocess.run(["bash", here / "peers/setup.sh"], check=True, capture_output=True, text=True).stdout.strip()
    common = ["--device", args.device, "--threads", args.threads]
    tenon, torch = Program([args.binary, *common]), Program([python, here / "peers/torch_shapes.py", *common])
    cases = [line.strip() for line in open(here / "shapes/cases.txt") if line.strip() and not line.startswith("#")]
    cases = [case for case in cases if re.search(args.only, case)]
    begin, rows, bad = time.time(), [], 0
    log = open(args.json, "w") if args.json else None
    with tempfile.TemporaryDirectory() as folder:
        for n, case in enumerate(cases):
            if time.time() - begin > args.until:
                print(f"left out for want of time: {len(cases) - n} of {len(cases)} cases", file=sys.stderr)
                break
            print(f"{n + 1} of {len(cases)}: {case}", file=sys.stderr)
            if args.values:
                if case.startswith("random"):
                    continue
                (failed, ours), (refused, theirs) = values(tenon, case, folder), values(torch, case, folder)
                if failed or refused:
                    print(f"{'FAILED' if failed else 'not compared'}: {case}: {failed or 'PyTorch: ' + refused}", flush=True)
                    bad += bool(failed)
                    continue
                kinds = {k for k in BOUNDS if re.search(rf"\b{k}[\[+~<@]", case)}
                bound = max((BOUNDS[k] for k in kinds), default=0)
                worst = difference(ours, theirs)
                bad += worst > bound
                print(f"{'FAILED' if worst > bound else 'same'}: {case}: {worst:.1e}", flush=True)
                continue
            best = {}
            for _ in range(args.turns):
                for name, program in (("tenon", tenon), ("torch", torch)):
                    answer = program.ask(f"time {args.seconds} {case}")
                    if "error" in answer:
                        best.setdefault("error", f"{name}: {answer['error']}")
                    else:
                        best[name] = min(best.get(name, float("inf")), answer["us"])
                if "error" in best:
                    break
            if log:
                print(json.dumps({"case": case, **best}), file=log, flush=True)
            rows.append((case, best))
    if args.values:
        print(f"{bad} of {len(cases)} failed")
        return 1 if bad else 0
    print("| op, inputs | Tenon us | PyTorch us | ratio |\n|---|---|---|---|")
    for case, t in sorted(rows, key=lambda row: -row[1]["tenon"] / row[1]["torch"] if "error" not in row[1] else float("-inf")):
        print(f"| {case} | {t['error']} | | |" if "error" in t else f"| {case} | {t['tenon']:.1f} | {t['torch']:.1f} | {t['tenon'] / t['torch']:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())

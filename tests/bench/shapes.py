#!/usr/bin/env python3
"""Ops of all kinds over sizes of all kinds (shapes/cases.txt) beside PyTorch, in turns, and their values compared; prints a Markdown table, slowest ratio first.

    python3 tests/bench/shapes.py [--what time|values|both] [--device cpu|cuda] [--recorded] [--shim] [--only REGEX] [--cases FILE] [--turns 3] [--seconds 0.1] [--threads 2] [--json FILE]

Needs a build with TENON_BUILD_BENCH (shapes_bench) and the peers' Python (peers/setup.sh, or PYTHON); where PYTHON has no PyTorch our times stand alone. Each
program stays for the whole run, and answers in turn; the least time of the turns counts. Of values the largest difference is taken, as a part of the largest
value; the exit status is 1 where one is beyond its type's bound, 3 where no case was timed. A GPU's clock is the recorded op replayed on our side, a CUDA graph on PyTorch's. Without a GPU
--shim compares the values of our CUDA kernels, run on the CPU (tests/cuda_on_cpu), with PyTorch's there.
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

here = pathlib.Path(__file__).resolve().parent
sys.path.append(str(here / "shapes"))
import shim  # noqa: E402
# what 2^n rounded sums of a type may differ by
BOUNDS = {"f64": 1e-9, "f32": 2e-4, "c64": 2e-4, "f16": 1e-2, "bf16": 4e-2}


class Program:
    def __init__(self, command, variables={}):
        self.command, self.environment = command, {**os.environ, **variables}
        self.start()

    def start(self):
        self.process = subprocess.Popen([str(c) for c in self.command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.environment)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if answer:
            return json.loads(answer)
        status = self.process.wait()
        self.start()
        return {"error": f"the program ended with status {status}"}


def values(program, case, folder, what="values"):
    import numpy as np
    path = pathlib.Path(folder) / "values"
    answer = program.ask(f"{what} {path} {case}")
    if "error" in answer:
        return answer["error"], []
    all_values, out = np.fromfile(path, dtype=np.float64), []
    for shape in answer["shapes"]:
        count = int(np.prod(shape))
        out.append(all_values[:count].reshape(shape))
        all_values = all_values[count:]
    return None, out


def difference(ours, theirs):
    """The largest difference, as a part of a result's largest value, or of a hundredth of all results' where that is more: a gradient may be 0 but for rounding.
    Infinite where shapes, or what is not a number, differ."""
    import numpy as np
    if len(ours) != len(theirs):
        return float("inf")
    largest = max((float(np.max(np.abs(b[np.isfinite(b)]), initial=0)) for b in theirs), default=0)
    worst = 0.0
    for a, b in zip(ours, theirs):
        if a.size != b.size or a.squeeze().shape != b.squeeze().shape or not np.array_equal(np.isnan(a), np.isnan(b)):
            return float("inf")
        a, b = a[np.isfinite(b)], b[np.isfinite(b)]
        if b.size:
            worst = max(worst, float(np.max(np.abs(a - b)) / max(np.max(np.abs(b)), largest / 100, 1e-30)))
    return worst


def compared(tenon, torch, case, folder, what):
    """What to say of a case's values, and whether they are wrong."""
    (failed, ours), (refused, theirs) = values(tenon, case, folder, what), values(torch, case, folder)
    if failed:
        return f"FAILED: {case}: {failed}", True
    if refused:
        return f"not compared: {case}: PyTorch: {refused}", False
    bound = max((BOUNDS[kind] for kind in BOUNDS if re.search(rf"\b{kind}[\[+~<@]", case)), default=0)
    worst = difference(ours, theirs)
    return f"{'FAILED' if worst > bound else 'same'}: {case}: {worst:.1e}", worst > bound


def timed(programs, case, args):
    """Least microseconds by program's name, or what one of them said instead."""
    best = {}
    for _ in range(args.turns):
        for name, program in programs.items():
            answer = program.ask(f"time {args.seconds} {case}")
            if "error" in answer:
                return {"error": f"{name}: {answer['error']}"}
            best[name] = min(best.get(name, float("inf")), answer["us"])
    return best


def table(rows):
    def ratio(times):
        return times["tenon"] / times["torch"] if "torch" in times else 0.0
    lines = ["| op, inputs | Tenon us | PyTorch us | ratio |", "|---|---|---|---|"]
    for case, times in sorted(rows, key=lambda row: -ratio(row[1])):
        if "error" in times:
            lines.append(f"| {case} | {times['error']} | | |")
        else:
            theirs = f"{times['torch']:.1f} | {ratio(times):.2f}" if "torch" in times else " | "
            lines.append(f"| {case} | {times['tenon']:.1f} | {theirs} |")
    both = [times for _, times in rows if "torch" in times]
    lines.append(f"\n{sum(ratio(times) <= 1 for times in both)} of {len(both)} no slower than PyTorch's")
    return "\n".join(lines)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--what", default="time", choices=["time", "values", "both"])
    args.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    args.add_argument("--shim", action="store_true", help="our CUDA kernels run on the CPU, which tells their values and not their times")
    args.add_argument("--recorded", action="store_true", help="compare values of the recorded op, replayed")
    args.add_argument("--only", default="")
    args.add_argument("--cases", default=here / "shapes/cases.txt")
    args.add_argument("--turns", type=int, default=3)
    args.add_argument("--seconds", type=float, default=0.1)
    args.add_argument("--threads", type=int, default=2)
    args.add_argument("--binary", default=here.parent.parent / "build/release/bin/shapes_bench")
    args.add_argument("--variable", action="append", default=[], help="NAME=VALUE for shapes_bench alone")
    args.add_argument("--json", help="a line a case, as they come")
    args.add_argument("--until", type=float, default=1e9, help="seconds after which no case is begun")
    args = args.parse_args()
    for file in (args.binary, args.cases):
        if not os.path.exists(file):
            sys.exit(f"shapes.py: no {file}" + (": build shapes_bench with -DTENON_BUILD_BENCH=ON" if file == args.binary else ""))
    if any("=" not in v for v in args.variable):
        sys.exit("shapes.py: --variable takes NAME=VALUE")
    if args.shim and args.what != "values":
        sys.exit("shapes.py: --shim compares values: --what values")
    python = os.environ.get("PYTHON") or subprocess.run(["bash", here / "peers/setup.sh"], check=True, capture_output=True, text=True).stdout.strip()
    kernels = tempfile.TemporaryDirectory()
    variables = dict(v.split("=", 1) for v in args.variable)
    if args.shim:
        variables.update(shim.variables(args.binary, kernels.name))
    programs = {"tenon": Program([args.binary, "--device", "cuda" if args.shim else args.device, "--threads", args.threads], variables)}
    if subprocess.run([python, "-c", "import torch, numpy"], capture_output=True).returncode == 0:
        programs["torch"] = Program([python, here / "peers/torch_shapes.py", "--device", args.device, "--threads", args.threads])
    else:
        print(f"{python} has no PyTorch: nothing to compare with", file=sys.stderr)
    cases = [line.strip() for line in open(args.cases) if line.strip() and not line.startswith("#")]
    cases = [case for case in cases if re.search(args.only, case)]
    begin, rows, bad = time.time(), [], 0
    log = open(args.json, "w") if args.json else None
    with tempfile.TemporaryDirectory() as folder:
        for n, case in enumerate(cases):
            if time.time() - begin > args.until:
                print(f"left out for want of time: {len(cases) - n} of {len(cases)} cases")
                break
            print(f"{n + 1} of {len(cases)}: {case}", file=sys.stderr)
            if args.what != "time" and "torch" in programs and not case.startswith("random"):
                said, wrong = compared(programs["tenon"], programs["torch"], case, folder, "recorded" if args.recorded else "values")
                bad += wrong
                if args.what == "values" or not said.startswith("same"):
                    print(said, flush=True)
            if args.what != "values":
                rows.append((case, timed(programs, case, args)))
                if log:
                    print(json.dumps({"case": case, **rows[-1][1]}), file=log, flush=True)
    if args.what != "time":
        print(f"{bad} of {len(cases)} with other values than PyTorch's")
    if rows:
        print(table(rows))
        if not any("tenon" in times for _, times in rows):
            print(f"no case was timed: {rows[0][1]['error']}")
            return 3
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

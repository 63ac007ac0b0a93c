#!/usr/bin/env python3
"""What ops launch on a GPU, without one: each case of cases.txt runs once on the shim (tests/cuda_on_cpu), which tells every launch's blocks, threads and seconds.

    python3 tests/bench/shapes/launches.py [--only REGEX] [--cases FILE] [--seconds 30] [--binary build/release/bin/shapes_bench]

A launch's seconds over its threads say how much one thread does after the other: a launch of few threads that do
much leaves a card idle. Prints the cases by a guess of their time on a card of 132 multiprocessors over the time that their bytes take at 2 TB/s and a launch of
3 us; it ranks what to look at, and is no measurement. Work of libraries (products, transforms, convolutions by cuDNN) is not counted.
"""
import argparse
import math
import os
import pathlib
import re
import select
import subprocess
import sys
import tempfile

import shim

here = pathlib.Path(__file__).resolve().parent
SIZE = {"f32": 4, "f64": 8, "f16": 2, "bf16": 2, "u8": 1, "i32": 4, "i64": 8, "bool": 1, "c64": 8}
THREADS = 132 * 2048
SLOWER = 8      # a thread of a GPU beside one of the shim, which is not optimised either
LAUNCH = 3e-6


def bytes_of(case):
    total = 0
    for kind, sizes in re.findall(r"\b(f32|f64|f16|bf16|u8|i32|i64|bool|c64)[^\[ ]*\[([0-9,]*)\]", case):
        total += SIZE[kind] * math.prod(int(s) for s in sizes.split(",") if s)
    return total * (2 if "gradient" in case else 1)


def guess(blocks, threads, seconds):
    each, all_threads = seconds / (blocks * threads), blocks * threads
    return LAUNCH + SLOWER * each * math.ceil(all_threads / THREADS)


def launches_of(case, args, variables, folder):
    told = pathlib.Path(folder) / "launches"
    told.unlink(missing_ok=True)
    environment = {**os.environ, **variables, "TENON_LAUNCHES": str(told)}
    process = subprocess.Popen([args.binary, "--device", "cuda", "--threads", "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    process.stdin.write(f"values {folder}/values {case}\n")
    process.stdin.flush()
    ready, _, _ = select.select([process.stdout], [], [], args.seconds)
    answer = process.stdout.readline() if ready else '{"error": "longer than --seconds"}'
    process.kill()
    process.wait()
    lines = [line.rsplit(" ", 3) for line in told.read_text().splitlines()] if told.exists() else []
    return answer.strip(), [(n, float(b), float(t), float(s)) for n, b, t, s in lines]


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--only", default="")
    args.add_argument("--cases", default=here / "cases.txt")
    args.add_argument("--seconds", type=float, default=30)
    args.add_argument("--binary", default=here.parent.parent.parent / "build/release/bin/shapes_bench")
    args = args.parse_args()
    for file in (args.binary, args.cases):
        if not os.path.exists(file):
            sys.exit(f"launches.py: no {file}")
    cases = [line.strip() for line in open(args.cases) if line.strip() and not line.startswith("#")]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        variables = shim.variables(args.binary, folder)
        for n, case in enumerate(c for c in cases if re.search(args.only, c)):
            answer, launches = launches_of(case, args, variables, folder)
            print(f"{n + 1}: {case}: {len(launches)} launches", file=sys.stderr, flush=True)
            guessed = sum(guess(b, t, s) for _, b, t, s in launches)
            rows.append((guessed / (LAUNCH + bytes_of(case) / 2e12), guessed, case, launches, answer))
    for ratio, guessed, case, launches, answer in sorted(rows, key=lambda row: -row[0]):
        print(f"{ratio:8.1f} {guessed * 1e6:10.1f} us {len(launches):4} launches  {case}" + (f"  {answer}" if "error" in answer else ""))
        for name, blocks, threads, seconds in sorted(launches, key=lambda l: -guess(*l[1:]))[:3]:
            print(f"{'':24}{guess(blocks, threads, seconds) * 1e6:10.1f} us {blocks:.0f} x {threads:.0f} {name}")


if __name__ == "__main__":
    main()

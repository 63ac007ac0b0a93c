#!/usr/bin/env python3
"""PyTorch at the sizes of tests/bench/micro/linalg_bench.cpp; with --tenon the ratio to it, both measured in turns.

    python torch_linalg.py [--threads 2] [--rounds 3] [--tenon build/release/bin/micro_bench] [--cpu]

--cpu times one thread of each by the processor's clock: for a machine that others use too, where threads that wait for each other measure
the neighbours.

Prints one JSON line a case: {"case", "us"} and with --tenon {"tenon_us", "ratio"}: Tenon's time over PyTorch's, each the least of all rounds.
"""
import argparse
import json
import os
import subprocess
import time

import torch

L = torch.linalg
MATMULS = [(64, 1, 512, 512, 512), (64, 1, 1024, 1024, 1024)] + [
    (bits, *size) for bits in (64, 32) for size in ((10000, 8, 8, 8), (10000, 16, 16, 16), (1000, 64, 64, 64), (2000, 1, 64, 64), (1, 1, 512, 512))]
FACTORS = {"cholesky": L.cholesky, "solve": lambda a: L.solve(a, a), "qr": L.qr, "svd": lambda a: L.svd(a, full_matrices=False), "eigh": L.eigh}


def cases():
    for bits, count, m, k, n in MATMULS:
        dtype = torch.float64 if bits == 64 else torch.float32
        a, b = torch.randn(count, m, k, dtype=dtype), torch.randn(count, k, n, dtype=dtype)
        yield f"linalg_matmul/bits:{bits}/count:{count}/m:{m}/k:{k}/n:{n}/real_time", (lambda a=a, b=b: torch.bmm(a, b))
    for name, f in FACTORS.items():
        for count, n in ((1, 128), (1, 512), (10000, 8), (500, 32)):
            for bits in (32, 64):
                a = torch.randn(count, n, n, dtype=torch.float64)
                spd = (a @ a.mT / n + torch.eye(n)).to(torch.float64 if bits == 64 else torch.float32)
                yield f"factor/linalg_{name}/bits:{bits}/count:{count}/n:{n}/real_time", (lambda f=f, a=spd: f(a))


def least(f, seconds, clock):
    f()
    best, end = float("inf"), clock() + seconds
    while True:
        start = clock()
        f()
        now = clock()
        best = min(best, now - start)
        if now > end:
            return best * 1e6


def tenon(binary, case, seconds, cpu):
    command = [binary, f"--benchmark_filter=^{case}$", "--benchmark_format=json", f"--benchmark_min_time={seconds / 10}", "--benchmark_repetitions=10"]
    if cpu:  # Tenon takes as many threads as it is given processors
        command = ["taskset", "--cpu-list", str(min(os.sched_getaffinity(0)))] + command
    rows = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["benchmarks"]
    return min(row["cpu_time" if cpu else "real_time"] for row in rows if row["run_type"] == "iteration")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--only", default="")
    parser.add_argument("--tenon")
    parser.add_argument("--cpu", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1 if options.cpu else options.threads)
    clock = time.thread_time if options.cpu else time.perf_counter
    with torch.no_grad():
        for case, f in cases():
            if options.only not in case:
                continue
            mine, theirs = float("inf"), float("inf")
            for _ in range(options.rounds):
                theirs = min(theirs, least(f, options.seconds, clock))
                if options.tenon:
                    mine = min(mine, tenon(options.tenon, case, options.seconds, options.cpu))
            line = {"case": case.removesuffix("/real_time"), "us": round(theirs, 1)}
            if options.tenon:
                line |= {"tenon_us": round(mine, 1), "ratio": round(mine / theirs, 2)}
            print(json.dumps(line), flush=True)

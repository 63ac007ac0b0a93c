"""The ops of micro/indexing_bench.cpp in PyTorch, beside it, in alternating rounds; prints the least time of each and the ratio.

    python tests/bench/peers/torch_indexing.py build/release/bin/micro_bench [rounds]
"""
import json
import subprocess
import sys
import time

import torch

torch.set_num_threads(2)
million = 1 << 20
line, rows, cube = torch.randn(million), torch.randn(4096, 256), torch.randn(64, 256, 64)
wide, labels = torch.randn(million).double(), torch.randint(1000, (million,))
edges, table, source, zero = torch.randn(1000).sort()[0], torch.randn(4096, 64), torch.randn(16384, 64), torch.zeros(1000)
i_rows, i_cube, i_line, i_table = torch.randint(256, (4096, 256)), torch.randint(256, (64, 256, 64)), torch.randint(million, (million,)), torch.randint(4096, (16384,))
positive, some = line > 0, rows > 1
field, weight = torch.randn(8, 32, 16, 16), torch.randn(32, 32, 16, 16)
field_last, weight_last = torch.randn(8, 16, 16, 32), torch.randn(16, 16, 32, 32)
queries, keys = torch.randn(8, 128, 4, 32), torch.randn(8, 128, 4, 32)


def gradient(equation, *inputs):
    inputs = [t.clone().requires_grad_() for t in inputs]
    return lambda: torch.autograd.grad(torch.einsum(equation, *inputs).sum(), inputs)


ops = {
    "sort_line": lambda: line.sort(stable=True),
    "sort_line_f64": lambda: wide.sort(stable=True),
    "sort_line_i64": lambda: labels.sort(stable=True),
    "sort_rows": lambda: rows.sort(stable=True),
    "sort_axis": lambda: cube.sort(dim=1, stable=True),
    "topk_line": lambda: line.topk(100),
    "topk_rows": lambda: rows.topk(8),
    "unique": lambda: labels.unique(return_inverse=True, return_counts=True),
    "searchsorted": lambda: torch.searchsorted(edges, line),
    "quantile_rows": lambda: rows.quantile(0.9, 1),
    "cumsum_line": lambda: line.cumsum(0),
    "cumsum_rows": lambda: rows.cumsum(1),
    "cumsum_axis": lambda: cube.cumsum(1),
    "cumprod_rows": lambda: rows.cumprod(1),
    "cummax_rows": lambda: rows.cummax(1),
    "logcumsumexp_rows": lambda: rows.logcumsumexp(1),
    "gather_rows": lambda: rows.gather(1, i_rows),
    "gather_axis": lambda: cube.gather(1, i_cube),
    "gather_line": lambda: line.gather(0, i_line),
    "index_select": lambda: table.index_select(0, i_table),
    "scatter_add_rows": lambda: rows.scatter_add(1, i_rows, rows),
    "scatter_add_line": lambda: line.scatter_add(0, i_line, line),
    "scatter_add_few": lambda: zero.scatter_add(0, labels, line),
    "index_add": lambda: table.index_add(0, i_table, source),
    "bincount": lambda: labels.bincount(minlength=1000),
    "masked_select": lambda: line.masked_select(positive),
    "nonzero": lambda: some.nonzero(),
    "roll": lambda: cube.roll((3, 5), (0, 1)),
    "einsum_bixy": lambda: torch.einsum("bixy,ioxy->boxy", field, weight),
    "einsum_bxyi": lambda: torch.einsum("bxyi,xyio->bxyo", field_last, weight_last),
    "einsum_bixy_gradient": gradient("bixy,ioxy->boxy", field, weight),
    "einsum_bxyi_gradient": gradient("bxyi,xyio->bxyo", field_last, weight_last),
    "einsum_attention": lambda: torch.einsum("bqhd,bkhd->bhqk", queries, keys),
}


def peer(op):
    """Least of ten groups of runs, in microseconds."""
    op(), op()
    best = float("inf")
    start = time.perf_counter()
    op()
    count = max(1, int(0.01 / (time.perf_counter() - start)))
    for _ in range(10):
        start = time.perf_counter()
        for _ in range(count):
            op()
        best = min(best, (time.perf_counter() - start) / count)
    return best * 1e6


def ours(binary):
    command = [binary, "--benchmark_filter=index/", "--benchmark_min_time=0.02", "--benchmark_repetitions=6", "--benchmark_format=json"]
    best = {}
    for b in json.loads(subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout)["benchmarks"]:
        if b["run_type"] == "iteration":
            name = b["run_name"].split("/")[1]
            best[name] = min(best.get(name, float("inf")), b["real_time"])
    return best


mine, theirs = {}, {}
for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 3):
    for name, t in ours(sys.argv[1]).items():
        mine[name] = min(mine.get(name, float("inf")), t)
    for name, op in ops.items():
        theirs[name] = min(theirs.get(name, float("inf")), peer(op))
print(f"{'us, least':24}{'Tenon':>10}{'PyTorch':>10}{'ratio':>8}")
for name in ops:
    print(f"{name:24}{mine[name]:10.0f}{theirs[name]:10.0f}{mine[name] / theirs[name]:8.2f}")

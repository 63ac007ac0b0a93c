#!/usr/bin/env python3
"""The peer of tests/bench/attention_bench.cpp: PyTorch's scaled_dot_product_attention by FlashAttention and by cuDNN.

    python torch_attention.py [--dtype bf16|f16] [--causal] [--sizes 4x16x2048x64,...] [--backends flash,cudnn] [--rounds 9] [--deterministic]

Operands are [batch, length, heads, width] in memory, as ours. Forward, and forward with gradients, each captured as a CUDA graph and
replayed. Prints one JSON line a size, pass and backend, with the keys of attention_bench. --deterministic asks for gradients that are the
same bits each run, as ours are; where a backend has none it says so on stderr.
"""
import argparse, json, statistics, sys
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch_graphs import captured, timed

BACKENDS = {"flash": SDPBackend.FLASH_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION}


args = argparse.ArgumentParser()
args.add_argument("--dtype", default="bf16", choices=["bf16", "f16"])
args.add_argument("--causal", action="store_true")
args.add_argument("--sizes", default="8x8x256x32,8x8x512x64,4x16x1024x64,4x16x2048x64,2x16x4096x128,1x8x16384x64")
args.add_argument("--backends", default="flash,cudnn")
args.add_argument("--rounds", type=int, default=9)
args.add_argument("--deterministic", action="store_true")
args = args.parse_args()
torch.use_deterministic_algorithms(args.deterministic)
dtype = torch.bfloat16 if args.dtype == "bf16" else torch.float16
for size in args.sizes.split(","):
    batch, heads, length, width = map(int, size.split("x"))
    q, k, v, d_y = (torch.randn(batch, length, heads, width, device="cuda", dtype=dtype).transpose(1, 2) for _ in range(4))
    for backward in (False, True):
        for t in (q, k, v):
            t.requires_grad_(backward)

        def step():
            y = F.scaled_dot_product_attention(q, k, v, is_causal=args.causal)
            return torch.autograd.grad(y, (q, k, v), d_y) if backward else y

        for backend in args.backends.split(","):
            try:
                with sdpa_kernel([BACKENDS[backend]]):
                    ms = timed(captured(step).replay, args.rounds)
            except Exception as e:  # a backend may refuse a size
                print(f"{backend} {size} {'backward' if backward else 'forward'}: {str(e).splitlines()[0]}", file=sys.stderr)
                continue
            print(json.dumps({"what": f"torch {backend}", "pass": "forward+backward" if backward else "forward", "dtype": args.dtype, "causal": args.causal, "batch": batch,
                              "heads": heads, "length": length, "width": width, "ms": round(statistics.median(ms), 4), "ms_min": round(ms[0], 4)}), flush=True)

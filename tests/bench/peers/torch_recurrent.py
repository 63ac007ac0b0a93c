#!/usr/bin/env python3
"""The peer of tests/bench/recurrent_bench.cpp: PyTorch's LSTM and GRU, on a GPU by cuDNN.

    python torch_recurrent.py [--device cuda|cpu] [--dtype bf16|f16|f32] [--sizes 64x96x7x128,...] [--layers lstm,gru] [--rounds 9] [--threads 2]

One layer, [batch, steps, features], forward and forward with all gradients; on a GPU captured as a CUDA graph and replayed. Weights are of the same
type as x, as autocast has them. Prints one JSON line a layer and pass, with the keys of recurrent_bench.
"""
import argparse, json, statistics, sys
import torch
from torch_graphs import captured, timed

args = argparse.ArgumentParser()
args.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
args.add_argument("--dtype", default="bf16", choices=["bf16", "f16", "f32"])
args.add_argument("--sizes", default="64x96x7x128,64x96x128x256,64x96x256x512,32x128x512x1024,256x64x512x1024,8x256x1024x2048")
args.add_argument("--layers", default="lstm,gru")
args.add_argument("--rounds", type=int, default=9)
args.add_argument("--threads", type=int, default=0)
args = args.parse_args()
if args.threads:
    torch.set_num_threads(args.threads)
torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
dtype = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}[args.dtype]
for size in args.sizes.split(","):
    batch, steps, features, hidden = map(int, size.split("x"))
    for name in args.layers.split(","):
        layer = (torch.nn.LSTM if name == "lstm" else torch.nn.GRU)(features, hidden, batch_first=True, device=args.device, dtype=dtype)
        x = torch.rand(batch, steps, features, device=args.device, dtype=dtype) * 2 - 1
        d_y = torch.rand(batch, steps, hidden, device=args.device, dtype=dtype) * 2 - 1
        for backward in (False, True):
            x.requires_grad_(backward)
            layer.requires_grad_(backward)

            def step():
                y = layer(x)[0]
                return torch.autograd.grad(y, [x, *layer.parameters()], d_y) if backward else y

            try:
                ms = timed(captured(step).replay if args.device == "cuda" else step, args.rounds)
            except Exception as e:  # a size may not fit
                print(f"{name} {size} {'backward' if backward else 'forward'}: {str(e).splitlines()[0]}", file=sys.stderr)
                continue
            print(json.dumps({"what": "torch", "layer": name, "pass": "forward+backward" if backward else "forward", "dtype": args.dtype, "batch": batch, "steps": steps,
                              "features": features, "hidden": hidden, "ms": round(statistics.median(ms), 4), "ms_min": round(ms[0], 4)}), flush=True)

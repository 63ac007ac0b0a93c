#!/usr/bin/env python3
"""Recurrent layers beside PyTorch's, in turns; prints a Markdown table of each one's best time.

    python3 tests/bench/recurrent_layers.py [--device cpu|cuda] [--dtype f32|bf16|f16] [--sizes 1x96x256x512,...] [--turns 3] [--threads 2]

Needs a release build (recurrent_bench) and the peers' Python (peers/setup.sh, or PYTHON). A size is batch x steps x features x hidden; one layer, one direction.
--threads counts on a CPU alone.
"""
import argparse, json, os, pathlib, subprocess, sys

here = pathlib.Path(__file__).resolve().parent
args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
args.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
args.add_argument("--dtype", default="f32", choices=["f32", "bf16", "f16"])
args.add_argument("--sizes", default="1x96x128x256,16x96x128x256,64x96x7x128,1x96x256x512,4x96x256x512,16x96x256x512,1x128x512x1024,16x64x512x1024,64x96x256x512")
args.add_argument("--turns", type=int, default=3)
args.add_argument("--threads", type=int, default=2)
args = args.parse_args()
python = os.environ.get("PYTHON") or subprocess.run(["bash", here / "peers/setup.sh"], check=True, capture_output=True, text=True).stdout.strip()
common = ["--device", args.device, "--dtype", args.dtype, "--rounds", "3"]
binary = here.parent.parent / "build/release/bin/recurrent_bench"
best = {}
for turn in range(args.turns):
    for size in args.sizes.split(","):
        for command in ([binary, "--threads", str(args.threads)], [python, here / "peers/torch_recurrent.py", "--threads", str(args.threads)]):
            result = subprocess.run([*map(str, command), *common, "--sizes", size], stdout=subprocess.PIPE, text=True)
            if result.returncode:
                sys.exit(f"{command[0]} ended with {result.returncode}")
            for row in map(json.loads, result.stdout.splitlines()):
                key = (row["layer"], size, row["pass"])
                of_key = best.setdefault(key, {})
                of_key[row["what"]] = min(of_key.get(row["what"], float("inf")), row["ms_min"])
    print(f"turn {turn + 1} of {args.turns}", file=sys.stderr)
print("| layer | batch, steps, features, units | pass | Tenon ms | PyTorch ms | ratio |\n|---|---|---|---|---|---|")
for (layer, size, which), ms in sorted(best.items(), key=lambda kv: (kv[0][0], kv[0][2], [int(n) for n in kv[0][1].split("x")])):
    if len(ms) == 2:
        tenon, torch = ms["tenon"], ms["torch"]
        print(f"| {layer} | {size.replace('x', ', ')} | {which.replace('+', ' and ')} | {tenon:.3f} | {torch:.3f} | **{tenon / torch:.2f}** |")

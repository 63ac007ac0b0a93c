#!/usr/bin/env bash
# The training step of the climate recipes (one member where a recipe has several), ours beside PyTorch's best mode, one after the other in one run.
#   bash tests/bench/climate_steps.sh [RECIPE ...]     default: all three
# Ours is the whole step of `tenon train`, the loader's work included, from metrics.jsonl; PyTorch's is on data in memory. THREADS: 2 by default.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- darcy etopo-super-resolution slp-north-atlantic
threads=${THREADS:-2} steps=${STEPS:-120}
tenon=${TENON:-build/release/bin/tenon}
python=$(bash tests/bench/peers/setup.sh)
site=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "| recipe | Tenon ms | PyTorch ms (mode) | ratio |"
echo "|---|---|---|---|"
for recipe in "$@"; do
  "$tenon" train "plugins/climate/recipes/$recipe.toml" --run "$work/$recipe" --threads "$threads" --quiet train.epochs=0 train.minutes=0 train.steps="$steps" \
    train.evaluate=false train.log_every=5 model.members=1 >/dev/null
  LD_LIBRARY_PATH=$site/nvidia/nccl/lib:/usr/local/cuda/lib64 "$python" tests/bench/peers/torch_climate.py --recipes "$recipe" --threads "$threads" >"$work/torch.jsonl"
  "$python" - "$work" "$recipe" <<'PY'
import json, statistics, sys
work, recipe = sys.argv[1:]
log = [json.loads(l) for l in open(f"{work}/{recipe}/metrics.jsonl")]
log = [(e["step"], e["seconds"]) for e in log if "loss" in e and "seconds" in e]
log = log[2:]  # cold memory
ours = statistics.median(1e3 * (b[1] - a[1]) / (b[0] - a[0]) for a, b in zip(log, log[1:]))
theirs = [json.loads(l) for l in open(f"{work}/torch.jsonl")]
best = min((t for t in theirs if t["ms"]), key=lambda t: t["ms"])
print(f"| {recipe} | {ours:.1f} | {best['ms']:.1f} ({best['mode']}) | {ours / best['ms']:.2f} |", flush=True)
PY
done

#!/usr/bin/env bash
# Whole trainings on the hippocampus cases, fold 0: ours and PyTorch's one after the other, each with the same minutes and threads.
#   bash tests/bench/hippocampus.sh [MINUTES ...]        default 3 6
# Data: $TENON_DATA, else ../shared/data beside the project. Prints a Markdown table: Dice of each
# label with its 95 % bootstrap interval, and the image-blind atlas; PyTorch trains in f32 where the processor has
# no bf16 products, with the best of the learning rates known for it (.03 for short runs, .02 for long ones), and its evaluation is not counted.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- 3 6
threads=${THREADS:-2}
if [ -z "${TENON_DATA:-}" ] && [ -d ../shared/data ]; then TENON_DATA=$(cd ../shared/data && pwd); fi
export TENON_DATA=${TENON_DATA:-}
[ -d "$TENON_DATA/medical/hippocampus" ] || { echo "hippocampus.sh: no medical/hippocampus under TENON_DATA='$TENON_DATA'" >&2; exit 2; }
bash apps/dependencies.sh build medical climate genomics finance bench
python=$(bash tests/bench/peers/setup.sh)
site=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
mkdir -p build
{ cmake --preset release && cmake --build --preset release --target tenon_command medical_plugin; } >build/bench.log 2>&1 || { tail -20 build/bench.log; exit 1; }
f32=()
grep -qE '\<(avx512_bf16|amx_bf16)\>' /proc/cpuinfo || f32=(--f32)
out=build/hippocampus.jsonl
: >"$out"
for minutes in "$@"; do
  run=runs/bench-hippocampus-$minutes
  rm -rf "$run"
  echo "tenon, $minutes min" >&2
  started=$(date +%s.%N)
  build/release/bin/tenon train plugins/medical/recipes/hippocampus.toml --run "$run" --threads "$threads" train.minutes="$minutes" >&2
  "$python" - "$run" "$minutes" "$started" >>"$out" <<'PY'
import json, sys, time
run, minutes, started = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
state, scores = json.load(open(run + "/state.json")), json.load(open(run + "/evaluation.json"))
print(json.dumps(dict(who="tenon", minutes=minutes, seconds=time.time() - started, steps=state["steps"], dice=[m["mean"] for m in scores["summary"]],
                      intervals=[[m["low"], m["high"]] for m in scores["summary"]],
                      atlas=[b["values"] for b in scores["baselines"] if b["name"] == "image-blind atlas"])))
PY
  rate=$("$python" -c "print(.03 if $minutes <= 6 else .02)")
  echo "PyTorch, $minutes min, learning rate $rate ${f32[*]}" >&2
  LD_LIBRARY_PATH=$site/nvidia/nccl/lib:/usr/local/cuda/lib64 "$python" tests/bench/peers/torch_hippocampus.py "$TENON_DATA/medical/hippocampus" \
    --width 16 --minutes "$minutes" --lr "$rate" --threads "$threads" "${f32[@]}" | tail -1 >>"$out"
done
"$python" - "$out" <<'PY'
import json, sys
atlas = ""
print("| minutes | who | steps | anterior | posterior |\n|---|---|---|---|---|")
for line in open(sys.argv[1]):
    r = json.loads(line)
    who = f"Tenon (whole command {r['seconds']:.0f} s)" if r.get("who") else "PyTorch"
    intervals = r.get("intervals", [None] * len(r["dice"]))
    figures = " | ".join(f"{mean:.4f}" + (f" [{i[0]:.3f}, {i[1]:.3f}]" if i else "") for mean, i in zip(r["dice"], intervals))
    print(f"| {r['minutes']:g} | {who} | {r['steps']} | {figures} |")
    for values in r.get("atlas", []):
        atlas = " | ".join(f"{v:.4f}" for v in values)
if atlas:
    print(f"| | image-blind atlas (floor) | | {atlas} |")
PY

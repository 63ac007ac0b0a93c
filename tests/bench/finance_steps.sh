#!/usr/bin/env bash
# The training step of each finance recipe's model beside PyTorch's, 2 threads, one run, in turn; prints a Markdown table.
#   bash tests/bench/finance_steps.sh     needs TENON_DATA and a release build; ours is timed from a run's own record, loading of batches included
set -euo pipefail
cd "$(dirname "$0")/../.."
tenon=build/release/bin/tenon threads=${THREADS:-2}
python=${PYTHON:-$(bash tests/bench/peers/setup.sh)}
site=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
export LD_LIBRARY_PATH=$site/nvidia/nccl/lib:/usr/local/cuda/lib64
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "| recipe | Tenon ms | PyTorch eager ms | compiled ms | ratio to best |"
echo "|---|---|---|---|---|"
measure() {  # recipe, steps, overrides of ours ("" for none), arguments of the peer's
  local recipe=$1 steps=$2 ours theirs
  shift 2
  local extra=()
  while [ "$1" != -- ]; do extra+=("$1"); shift; done
  shift
  rm -rf "$work/run"
  "$tenon" train "plugins/finance/recipes/$recipe.toml" --run "$work/run" --threads "$threads" --quiet train.evaluate=false train.epochs=0 train.steps="$steps" \
    train.validate_every=0 train.log_every=$((steps / 10)) "${extra[@]}" >/dev/null
  ours=$("$python" - "$work/run/metrics.jsonl" <<'PY'
import json, statistics, sys
rows = [json.loads(l) for l in open(sys.argv[1])]
rows = [(r["step"], r["seconds"]) for r in rows if "seconds" in r and "loss" in r]
print(1e3 * statistics.median((b[1] - a[1]) / (b[0] - a[0]) for a, b in zip(rows, rows[1:])))
PY
)
  theirs=$("$python" tests/bench/peers/torch_finance.py --threads "$threads" "$@")
  "$python" - "$recipe ${extra[*]:-}" "$ours" "$theirs" <<'PY'
import json, sys
name, ours, rows = sys.argv[1], float(sys.argv[2]), [json.loads(l) for l in sys.argv[3].splitlines()]
ms = {r["mode"]: r.get("ms", float("nan")) for r in rows}
best = min(v for v in ms.values() if v == v)
print(f"| {name.strip()} | {ours:.3f} | {ms.get('eager', float('nan')):.3f} | {ms.get('compile', float('nan')):.3f} | {ours / best:.2f} |")
PY
}
measure exchange-rate 2000 -- --model nlinear --look-back 96 --horizon 720 --batch 256 --no-bias --reversion
measure etth1 1000 -- --model nlinear --look-back 336 --horizon 720 --batch 128
measure etth1 60 model.name=finance.patchtst -- --model patchtst --look-back 336 --horizon 720 --batch 128
measure sp500-volatility 4000 -- --model nlinear --look-back 1 --features 6 --horizon 1 --outputs 2 --batch 256 --loss student --norm none

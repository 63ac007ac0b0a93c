#!/usr/bin/env bash
# Training steps of the genomics recipes' models (one member where a recipe has several), ours and PyTorch's one after the other, same model, batch and threads.
#   bash tests/bench/genomics.sh [RECIPE ...]      default: splice-junctions arabidopsis-tata ecoli-promoters nf-e2
# Data: $TENON_DATA, else ../shared/data beside the project; the splice junctions ship with it. Prints a Markdown table.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- splice-junctions arabidopsis-tata ecoli-promoters nf-e2
threads=${THREADS:-2} steps=${STEPS:-300}
if [ -z "${TENON_DATA:-}" ] && [ -d ../shared/data ]; then TENON_DATA=$(cd ../shared/data && pwd); fi
export TENON_DATA=${TENON_DATA:-}
bash apps/dependencies.sh build bench
python=$(bash tests/bench/peers/setup.sh)
site=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
mkdir -p build
{ cmake --preset release && cmake --build --preset release --target tenon_command genomics_plugin; } >build/bench.log 2>&1 || { tail -20 build/bench.log; exit 1; }
echo "| recipe | model | batch | Tenon ms | PyTorch eager | compile | ratio to best |"
echo "|---|---|---|---|---|---|---|"
for recipe in "$@"; do
  run=runs/bench-$recipe
  rm -rf "$run"
  build/release/bin/tenon train "plugins/genomics/recipes/$recipe.toml" --run "$run" --threads "$threads" --quiet \
    train.steps="$steps" train.epochs=0 train.evaluate=false train.validate_every=0 train.precision=f32 model.members=1 >&2
  LD_LIBRARY_PATH=$site/nvidia/nccl/lib:/usr/local/cuda/lib64 "$python" tests/bench/peers/torch_sequence.py "$run" --threads "$threads" | "$python" -c '
import json, sys
r = json.load(sys.stdin)
print("|", " | ".join([sys.argv[1]] + [str(r.get(k)) for k in ("model", "batch", "tenon_ms", "torch_eager_ms", "torch_compile_ms", "ratio_to_best")]), "|")' "$recipe"
done

#!/usr/bin/env bash
# From a fresh Debian 12 to a scored model on real scans: installs what is missing, builds, trains a 3D U-Net on the
# hippocampus scans that ship with the project, scores it on scans it never saw, writes predictions and a report.
#   bash apps/quickstart.sh [section.key=value ...]      e.g. train.minutes=1
set -euo pipefail
cd "$(dirname "$0")/.."
started=$(date +%s)

bash apps/dependencies.sh build
mkdir -p build
echo "== building (log: build/quickstart.log)" >&2
if ! { cmake --preset release -DTENON_BUILD_TESTS=OFF -DTENON_BUILD_BENCH=OFF && cmake --build --preset release -j "$(nproc)"; } >build/quickstart.log 2>&1; then
  grep -nE 'error|FAILED' build/quickstart.log | head -20 >&2 || true
  tail -20 build/quickstart.log >&2
  exit 1
fi
tenon=$PWD/build/release/bin/tenon
echo "== built after $(($(date +%s) - started)) s" >&2

run=runs/quickstart
for ((i = 2; ; i++)); do
  [ -e "$run" ] || break
  run=runs/quickstart-$i
done
"$tenon" train plugins/medical/recipes/hippocampus-sample.toml --run "$run" "$@"

# the run directory is all that prediction needs
mapfile -t scans < <(for id in $(tr -d ' ",' <data/samples/hippocampus/folds.json | sed -n '/fold_0/,/\]/p' | grep '^hippocampus_'); do
  echo "data/samples/hippocampus/imagesTr/$id.nii.gz"; done)
"$tenon" predict "$run" "${scans[@]}" -o "$run/predictions"

echo
echo "predictions: $run/predictions (${#scans[@]} label maps, each with its scan's geometry)"
echo "report:      $PWD/$run/report.html"
echo "all of it took $(($(date +%s) - started)) s"

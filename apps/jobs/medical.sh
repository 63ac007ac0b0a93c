#!/usr/bin/env bash
# Trains a 3D U-Net on the hippocampus scans that ship with the project, scores it on scans it never saw, and predicts those.
#   bash apps/jobs/medical.sh RUN [section.key=value ...]      TENON: the command, default build/release/bin/tenon
set -euo pipefail
cd "$(dirname "$0")/../.."
run=${1:?"usage: medical.sh RUN [section.key=value ...]"}
shift
tenon=${TENON:-$PWD/build/release/bin/tenon}

"$tenon" train plugins/medical/recipes/hippocampus-sample.toml --run "$run" "$@"

# the run directory is all that prediction needs
mapfile -t scans < <(for id in $(tr -d ' ",' <data/samples/hippocampus/folds.json | sed -n '/fold_0/,/\]/p' | grep '^hippocampus_'); do
  echo "data/samples/hippocampus/imagesTr/$id.nii.gz"; done)
"$tenon" predict "$run" "${scans[@]}" -o "$run/predictions"
echo
echo "predictions: $run/predictions (${#scans[@]} label maps, each with its scan's geometry)"

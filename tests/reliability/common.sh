# Shared by the scripts here: a small but whole training on the sample scans. Needs $TENON (the command).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
small=(patch.size=[16,16,16] model.widths=[4,8] loss.levels=1 train.batch=2 train.precision=f32 train.pictures=0 train.average=0 baselines.atlas=false)

# A whole command, so that in the background it is a direct child that signals reach: "${train[@]}" ... &
train=("$TENON" train "$root/plugins/medical/recipes/hippocampus-sample.toml" --quiet "${small[@]}")
fail() { echo "FAILED: $*" >&2; exit 1; }
same() { cmp "$1" "$2" || fail "$1 and $2 differ"; }

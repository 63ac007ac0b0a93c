#!/usr/bin/env bash
# The trainer alone, on a toy task: a run killed (-9) at 50 seeded moments, each time resumed, ends in the same checkpoints and the
# same curves as one that was not; with summed batches, an averaged model, early stopping, f16 and TensorBoard's files turned on.
#   kill_resume_core.sh [KILLS]      default 50; TENON names the command, TOY the folder of the toy plugin
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
kills=${1:-50}
fail() { echo "FAILED: $*" >&2; exit 1; }
same() { cmp "$1" "$2" || fail "$1 and $2 differ"; }

mkdir "$work/points"
echo 1 2 3 >"$work/points/points.txt"
cat >"$work/line.toml" <<'TOML'
name = "line"
task = "toy.regression"
[data]
root = "points"
pause = 2
[model]
name = "toy.net"
[train]
steps = 60
batch = 4
accumulate = 2
average = 0.3
precision = "f16"
loss_scale = 1e9
loss_scale_interval = 5
patience = 50
tensorboard = true
checkpoint_every = 3
validate_every = 7
log_every = 1
loader_threads = 2
[optimizer]
name = "adamw"
[schedule]
learning_rate = 0.02
TOML
tenon=("$TENON" --plugin-dir "$TOY" train --quiet)
curves() { sed 's/,"seconds":[^,}]*//' "$1/metrics.jsonl"; }
started=$(date +%s%N)
"${tenon[@]}" "$work/line.toml" --run "$work/whole" >/dev/null
length=$((($(date +%s%N) - started) / 1000000)) # milliseconds

RANDOM=50
killed=0 rounds=0
while [ $killed -lt "$kills" ]; do
  rounds=$((rounds + 1))
  run=$work/run
  rm -rf "$run"
  # one run, killed until it is whole: early, late, in its first step, while it resumes
  for ((turn = 0; ; turn++)); do
    if [ -f "$run/recipe.toml" ]; then "${tenon[@]}" --resume "$run" >/dev/null 2>"$work/said" & else rm -rf "$run"; "${tenon[@]}" "$work/line.toml" --run "$run" >/dev/null 2>"$work/said" & fi
    pid=$!
    if [ $killed -lt "$kills" ] && [ $turn -lt 8 ]; then
      wait_ms=$((RANDOM % (length + 1)))
      sleep "$((wait_ms / 1000)).$(printf %03d $((wait_ms % 1000)))"
      kill -9 $pid 2>/dev/null || true
    fi
    rc=0
    wait $pid 2>/dev/null || rc=$?
    [ $rc = 137 ] && { killed=$((killed + 1)); continue; }
    [ $rc = 0 ] || { cat "$work/said" >&2; fail "exit status $rc after $killed kills"; }
    break
  done
  same "$work/whole/checkpoints/last.safetensors" "$run/checkpoints/last.safetensors"
  same "$work/whole/checkpoints/best.safetensors" "$run/checkpoints/best.safetensors"
  diff <(curves "$work/whole") <(curves "$run" | awk '!seen[$0]++') || fail "the curves differ"
  [ "$(ls "$run"/tensorboard/events.out.tfevents.* | wc -l)" = 1 ] || fail "not one event file"
done
echo "passed: $killed kills in $rounds runs, each resumed run equals the whole one byte for byte"

#!/usr/bin/env bash
# The same seed gives the same checkpoint for 1, 2 and 4 threads, in f32 and bf16, with patches made by host or device; another seed does not.
source "$(dirname "$0")/common.sh"
train+=(model.widths=[16,32])  # whole panels of 16 channels: the convolutions of our own, not oneDNN's
for where in host device; do
  for precision in f32 bf16; do
    one=$work/$where-$precision-1
    for threads in 1 2 4; do
      run=$work/$where-$precision-$threads
      "${train[@]}" --run "$run" --threads $threads train.steps=12 train.evaluate=false train.precision=$precision augment.where=$where >/dev/null
      same "$one/checkpoints/last.safetensors" "$run/checkpoints/last.safetensors"
    done
  done
done
"${train[@]}" --run "$work/other" --seed 77 train.steps=12 train.evaluate=false >/dev/null
cmp -s "$work/host-f32-1/checkpoints/last.safetensors" "$work/other/checkpoints/last.safetensors" && fail "another seed gave the same weights"
echo "passed: same bits for 1, 2 and 4 threads"

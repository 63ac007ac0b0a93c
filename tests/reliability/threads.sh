#!/usr/bin/env bash
# The same seed gives the same checkpoint for 1, 2 and 4 threads, in f32 and bf16; another seed does not.
source "$(dirname "$0")/common.sh"
train+=(model.widths=[16,32])  # whole panels of 16 channels: the convolutions of our own, not oneDNN's
for precision in f32 bf16; do
  for threads in 1 2 4; do
    "${train[@]}" --run "$work/$precision-$threads" --threads $threads train.steps=12 train.evaluate=false train.precision=$precision >/dev/null
    same "$work/$precision-1/checkpoints/last.safetensors" "$work/$precision-$threads/checkpoints/last.safetensors"
  done
done
"${train[@]}" --run "$work/other" --seed 77 train.steps=12 train.evaluate=false >/dev/null
cmp -s "$work/f32-1/checkpoints/last.safetensors" "$work/other/checkpoints/last.safetensors" && fail "another seed gave the same weights"
echo "passed: same bits for 1, 2 and 4 threads"

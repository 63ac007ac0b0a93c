#!/usr/bin/env bash
# Ctrl-C: the step is finished and saved, exit 75, and the resumed run ends in the same bits.
source "$(dirname "$0")/common.sh"
length=(train.steps=60 train.checkpoint_every=1000 train.evaluate=false)
"${train[@]}" --run "$work/whole" "${length[@]}" >/dev/null
loud=() # a quiet run does not say how to go on
for word in "${train[@]}"; do [ "$word" = --quiet ] || loud+=("$word"); done
"${loud[@]}" --run "$work/stopped" "${length[@]}" >/dev/null 2>"$work/said" &
pid=$!
until [ -f "$work/stopped/metrics.jsonl" ] || ! kill -0 $pid 2>/dev/null; do sleep 0.02; done
kill -INT $pid
rc=0
wait $pid || rc=$?
[ $rc = 75 ] || { cat "$work/said" >&2; fail "exit status $rc, expected 75"; }
grep -q -- "--resume $work/stopped" "$work/said" || fail "the command that goes on was not named"
"$TENON" train --resume "$work/stopped" --quiet >/dev/null
same "$work/whole/checkpoints/last.safetensors" "$work/stopped/checkpoints/last.safetensors"
echo "passed: interrupted and resumed"

#!/usr/bin/env bash
# A run that is killed (-9) at random moments and resumed ends in the same checkpoint, byte for byte, as one that was not. Every other one makes
# its patches where it computes.
#   kill_resume.sh [KILLS]      default 6; TENON names the command
source "$(dirname "$0")/common.sh"
kills=${1:-6}
length=(train.steps=60 train.checkpoint_every=7 train.validate_every=20 train.evaluate=false)
"${train[@]}" --run "$work/whole" "${length[@]}" >/dev/null
"${train[@]}" --run "$work/whole-device" "${length[@]}" augment.where=device >/dev/null

# While scans are read there is no recipe yet: killed as soon as the folder is there.
run=$work/early
"${train[@]}" --run "$run" "${length[@]}" >/dev/null 2>&1 &
pid=$!
for ((i = 0; i < 1000; i++)); do [ -d "$run/checkpoints" ] && break; sleep 0.002; done
kill -9 $pid
wait $pid 2>/dev/null || true
if [ -f "$run/recipe.toml" ]; then
  "$TENON" train --resume "$run" --quiet >/dev/null
else
  said=$("$TENON" train --resume "$run" 2>&1 || true)
  grep -q "tenon train RECIPE --run $run" <<<"$said" || fail "--resume does not tell how to begin the run anew"
  "${train[@]}" --run "$run" "${length[@]}" >/dev/null
fi
same "$work/whole/checkpoints/last.safetensors" "$run/checkpoints/last.safetensors"

RANDOM=20 # the moments differ from machine to machine anyway
killed=0
for ((i = 0; i < kills * 4 && killed < kills; i++)); do
  run=$work/killed-$killed whole=$work/whole where=host
  ((killed % 2)) && whole=$work/whole-device where=device
  if [ -f "$run/recipe.toml" ]; then "$TENON" train --resume "$run" --quiet >/dev/null 2>&1 & else rm -rf "$run"; "${train[@]}" --run "$run" "${length[@]}" augment.where=$where >/dev/null 2>&1 & fi
  pid=$!
  sleep "0.$((RANDOM % 8 + 1))"
  if kill -9 $pid 2>/dev/null; then
    wait $pid 2>/dev/null || true
    killed=$((killed + 1))
    # killed before it wrote its recipe: the same command begins it in the same folder
    if [ -f "$run/recipe.toml" ]; then "$TENON" train --resume "$run" --quiet >/dev/null; else "${train[@]}" --run "$run" "${length[@]}" augment.where=$where >/dev/null; fi
    same "$whole/checkpoints/last.safetensors" "$run/checkpoints/last.safetensors"
    [ "$(tail -1 "$run/metrics.jsonl" | grep -o '"step":60')" ] || fail "metrics of the resumed run do not end at step 60"
    [ "$(grep -o '"kind":"[a-z]*","step":[0-9]*' "$run/metrics.jsonl" | sort | uniq -d)" = "" ] || fail "a step stands twice in the resumed run's metrics"
  else
    wait $pid || true
    rm -rf "$run"
  fi
done
[ $killed -gt 0 ] || fail "no run could be killed in time"
echo "passed: $killed kills, every resumed run equals the whole one byte for byte"

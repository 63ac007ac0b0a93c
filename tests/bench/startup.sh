#!/usr/bin/env bash
# How long the command takes to begin: the best and the median of `tenon --help`, in ms (aim: below 20).
#   bash tests/bench/startup.sh [RUNS]    default 50; TENON=path of the command
set -euo pipefail
cd "$(dirname "$0")/../.."
command=${TENON:-build/release/bin/tenon} runs=${1:-50}
for ((i = 0; i < runs; i++)); do
  begin=$(date +%s%N)
  "$command" --help >/dev/null
  echo $(($(date +%s%N) - begin))
done | sort -n | awk '{t[NR] = $1 / 1e6} END {printf "best %.1f ms, median %.1f ms\n", t[1], t[int((NR + 1) / 2)]}'

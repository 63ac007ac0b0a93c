#!/usr/bin/env bash
# How long the command takes to begin, in ms, best and median: `tenon --help` (aim: below 20), `tenon plugins` with its verdicts remembered (aim: below 50), the
# same with none remembered, and without any trial. First trial of a plugin: the difference of the last two, over the plugins there are; it loads the
# plugin once (aim: 5 ms and that load).
#   bash tests/bench/startup.sh [RUNS]    default 50; TENON=path of the command
set -euo pipefail
cd "$(dirname "$0")/../.."
command=${TENON:-build/release/bin/tenon} runs=${1:-50}
cache=$(mktemp -d)
trap 'rm -rf "$cache"' EXIT
timed() {  # title, what to do before each run, command
  local title=$1 before=$2 begin i
  shift 2
  for ((i = 0; i < runs; i++)); do
    $before
    begin=$(date +%s%N)
    "$@" >/dev/null
    echo $(($(date +%s%N) - begin))
  done | sort -n | awk -v title="$title" '{t[NR] = $1 / 1e6} END {printf "%-44s best %6.1f   median %6.1f\n", title, t[1], t[int((NR + 1) / 2)]}'
}
forget() { rm -rf "$cache/tenon"; }
export XDG_CACHE_HOME=$cache
timed "tenon --help" true "$command" --help
"$command" plugins >/dev/null
timed "tenon plugins, verdicts remembered" true "$command" plugins
timed "tenon plugins, none remembered" forget "$command" plugins
TENON_PLUGIN_TRIAL=off timed "tenon plugins, without trials" true "$command" plugins

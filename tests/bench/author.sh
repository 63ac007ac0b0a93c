#!/usr/bin/env bash
# What a plugin's author waits for, in seconds, best of three: from `tenon plugin new` to the first green test (aim: 300 on two cores), an edit of one file with its
# build and tests (aim: 10), and the headers of a plugin of one model, checked and compiled (aim of the first: 2).
#   bash tests/bench/author.sh    installs core and command of BUILD (build/release) into a folder of its own
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build/release} work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME=$work XDG_CACHE_HOME=$work/cache XDG_DATA_HOME=$work/data
for component in core command; do cmake --install "$build" --prefix "$work/prefix" --component $component >/dev/null; done
tenon=$work/prefix/bin/tenon
cd "$work"
timed() {  # title, what to do before each run, command
  local title=$1 before=$2 begin i
  shift 2
  for i in 1 2 3; do
    $before
    begin=$(date +%s%N)
    "$@" >/dev/null 2>&1
    echo $(($(date +%s%N) - begin))
  done | sort -n | awk -v title="$title" 'NR == 1 {printf "%-52s %6.2f\n", title, $1 / 1e9}'
}
scaffold() { "$tenon" plugin new sonar && "$tenon" plugin build sonar; }
timed "tenon plugin new, build: first green test" "rm -rf sonar" scaffold
edit() { echo "// edited" >>sonar/src/denoise.cpp; }
timed "an edit of one file, tenon plugin build" edit "$tenon" plugin build sonar
"$tenon" plugin new one --kind model >/dev/null
timed "headers of a plugin of one model, -fsyntax-only" true c++ -std=c++20 -fsyntax-only -I prefix/include one/src/denoise.cpp
timed "the same file, -O2" true c++ -std=c++20 -O2 -c -o one.o -I prefix/include one/src/denoise.cpp

#!/usr/bin/env bash
# Builds what the tests need and runs them all.
#   bash tests/run.sh           everything (what CI runs)
#   bash tests/run.sh fast      the fast suite: at most a minute once built
#   bash tests/run.sh asan      everything of the core under address and undefined-behaviour sanitizers
#   bash tests/run.sh -R NAME   further words go to ctest
# Data sets: $TENON_DATA, else ../shared/data beside the project; tests that need absent data are skipped by name.
set -euo pipefail
cd "$(dirname "$0")/.."
bash apps/dependencies.sh build medical climate genomics finance test

suite=full
case ${1:-} in full | fast | asan) suite=$1; shift ;; esac
jobs=$(nproc)
if [ -z "${TENON_DATA:-}" ] && [ -d ../shared/data ]; then TENON_DATA=$(cd ../shared/data && pwd); fi
export TENON_DATA=${TENON_DATA:-}

build() {  # preset, further cmake arguments
  local preset=$1 log
  shift
  mkdir -p build
  log=build/$preset.log
  echo "== building ($preset); log: $log"
  if ! { cmake --preset "$preset" "$@" && cmake --build --preset "$preset" -j "$jobs"; } >"$log" 2>&1; then
    grep -nE 'error|FAILED|Error' "$log" | head -40 >&2 || true
    tail -40 "$log" >&2
    exit 1
  fi
  if [ "$preset" = release ] && grep -nE 'warning( #[0-9]+.*)?:|CMake Warning' "$log" >&2; then
    echo "run.sh: the build warns" >&2
    exit 1
  fi
}

if [ "$suite" = asan ]; then
  build asan
  ctest --test-dir build/asan -j "$jobs" --output-on-failure "$@"
  exit
fi
build release -DTENON_BUILD_TESTS=ON -DTENON_BUILD_BENCH=OFF -DTENON_CUDA_ARCHITECTURES=one
[ "$suite" = fast ] && jobs=$((jobs + 2))  # some of its tests wait for other processes, and starting each takes ctest a moment
args=(--test-dir build/release -j "$jobs" --output-on-failure --no-tests=error)
[ "$suite" = fast ] && args+=(-LE slow)
if [ "$suite" = full ] && [ $# -eq 0 ]; then
  export TENON_KERNELS_RAN=$PWD/build/release/kernels-ran
  rm -f "$TENON_KERNELS_RAN"
  ctest "${args[@]}"
  exec bash tests/cuda_on_cpu/kernels_ran.sh "$TENON_KERNELS_RAN"
fi
ctest "${args[@]}" "$@"

#!/usr/bin/env bash
# From a fresh Debian 12 to scored models on real data: installs what is missing, builds, trains, scores, predicts, and writes reports.
#   bash apps/quickstart.sh                                one job of each field, and one page that links the four reports
#   bash apps/quickstart.sh medical                        the fields named alone: medical, climate, genomics, finance
#   bash apps/quickstart.sh [field ...] section.key=value ...     with values of the recipes replaced, e.g. train.minutes=1
set -euo pipefail
cd "$(dirname "$0")/.."
started=$(date +%s)

fields=() overrides=()
for argument in "$@"; do
  case $argument in
    *=*) overrides+=("$argument") ;;
    all) fields=(medical climate genomics finance) ;;
    *)
      [ -f "apps/jobs/$argument.sh" ] || { echo "quickstart.sh: no field '$argument'; there are: $(cd apps/jobs && echo *.sh | sed 's/\.sh//g') all" >&2; exit 2; }
      fields+=("$argument") ;;
  esac
done
[ ${#fields[@]} -gt 0 ] || fields=(medical climate genomics finance)

bash apps/dependencies.sh build "${fields[@]}"
mkdir -p build
options=()
for field in medical climate genomics finance; do
  [[ " ${fields[*]} " == *" $field "* ]] && options+=("-DTENON_BUILD_${field^^}=ON") || options+=("-DTENON_BUILD_${field^^}=OFF")
done
# For the GPU that is here, or for one kind: every kind takes its time.
if nvidia-smi -L >/dev/null 2>&1; then options+=(-DCMAKE_CUDA_ARCHITECTURES=native); else options+=(-DTENON_CUDA_ARCHITECTURES=one); fi
echo "== building (log: build/quickstart.log)" >&2
if ! { cmake --preset release -DTENON_BUILD_TESTS=OFF -DTENON_BUILD_BENCH=OFF "${options[@]}" && cmake --build --preset release -j "$(nproc)"; } >build/quickstart.log 2>&1; then
  grep -nE 'error|FAILED' build/quickstart.log | head -20 >&2 || true
  tail -20 build/quickstart.log >&2
  exit 1
fi
export TENON=$PWD/build/release/bin/tenon
echo "== built after $(($(date +%s) - started)) s" >&2

runs=()
for field in "${fields[@]}"; do
  name=quickstart
  [ "$field" = medical ] || name=quickstart-$field
  run=runs/$name
  for ((i = 2; ; i++)); do
    [ -e "$run" ] || break
    run=runs/$name-$i
  done
  [ ${#fields[@]} -eq 1 ] || echo "== $field" >&2
  bash "apps/jobs/$field.sh" "$run" ${overrides[@]+"${overrides[@]}"}
  runs+=("$run")
  echo "report:      $PWD/$run/report.html"
done
if [ ${#runs[@]} -gt 1 ]; then
  "$TENON" report "${runs[@]}" --summary runs/summary.html >/dev/null
  echo "all reports: $PWD/runs/summary.html"
fi
echo "all of it took $(($(date +%s) - started)) s"

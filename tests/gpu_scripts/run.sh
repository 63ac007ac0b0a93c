#!/usr/bin/env bash
# What surrounds a GPU's figures and needs no GPU: the table that is made of measured lines, and what the scripts refuse or tell.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "failed: $1" >&2; exit 1; }

# a row's CPU figure is that of its type; a line that was cut off and one without memory are no end of the table
line() { echo "{\"model\": \"mlp\", \"mode\": \"$1\", \"device\": \"$2\", \"dtype\": \"$3\", \"ms\": $4$5}"; }
{ line tenon cuda bf16 1 ', "peak_mb": 10'; line tenon cpu bf16 250 ''; line eager cuda bf16 4 ', "peak_mb": 20'; line graphs cuda bf16 2 ''
  line tenon cuda f32 2 ''; line tenon cpu f32 1000 ''; echo '{"model": "ml'; } >"$work/lines"
python3 tests/bench/gpu_table.py "$work/lines" "$work/table.json" "$work/table.md" >/dev/null
grep -qF "| mlp | bf16 | 1.000 | 4.000 |  |  | 2.000 | 0.50 | 10 | 20 | 0.50 | 250.0 | 250 |" "$work/table.md" || fail "the row of bf16: $(cat "$work/table.md")"
grep -qF "| mlp | f32 | 2.000 |  |  |  |  |  |  |  |  | 1000.0 | 500 |" "$work/table.md" || fail "the row of f32: $(cat "$work/table.md")"

# a step that there is none of is refused before any other runs
status=0; OUT=$work/out BINARIES=$work bash tests/gpu.sh tests nonsense >"$work/said" 2>&1 || status=$?
[ "$status" = 2 ] && [ ! -e "$work/out" ] && grep -q "unknown step 'nonsense'" "$work/said" || fail "gpu.sh tests nonsense: status $status, $(cat "$work/said")"

# with programs that stand for the real ones: a table, what was chosen, and each program that did not end is told as such
mkdir -p "$work/bin" "$work/lib"
cat >"$work/bin/cuda_tests" <<'STUB'
#!/bin/bash
[ "$1" != "[kept]" ] || { mkdir -p "$TENON_PLAN_MEMORY"; echo one >"$TENON_PLAN_MEMORY/card.cudnn-0-.plans"; }
[ "$1" != "[recurrent]" ] || echo "# chosen: LSTM bf16 of 64: cuDNN, persistent 1 us"
[ "$1" != "${HANGS:-}" ] || sleep 60
[ "$1" != "${BREAKS:-}" ] || exit 3
echo "All tests passed (7 assertions in 2 test cases)"
STUB
cat >"$work/bin/step_bench" <<'STUB'
#!/bin/bash
model=$2 dtype=$4 device=$6
echo "# chosen: convolution of $model: own kernels" >&2
[ "$model" != "${SILENT:-}" ] || exit 1
echo "{\"model\": \"$model\", \"mode\": \"tenon\", \"device\": \"$device\", \"dtype\": \"$dtype\", \"ms\": 2, \"peak_mb\": 1}"
STUB
cat >"$work/bin/shapes_bench" <<'STUB'
#!/bin/bash
while read -r _ _ op rest; do
  [ "$op" != "${ENDS:-}" ] || exit 3
  [ -z "${NO_CARD:-}" ] || { echo '{"error": "no usable card"}'; continue; }
  echo '{"us": 5.25}'
done
STUB
chmod +x "$work/bin/"*
# a Python without PyTorch
printf '#!/bin/sh\n[ "$1" != -c ] || exit 1\nexec python3 "$@"\n' >"$work/bare"
chmod +x "$work/bare"
gpu() {  # exit status wanted, steps; variables come from the caller
  local wanted=$1 status=0
  shift
  rm -rf "$work/out"
  OUT=$work/out BINARIES=$work MODELS="mlp lstm" MODES=eager TORCHINDUCTOR_CACHE_DIR=$work/inductor bash tests/gpu.sh "$@" >"$work/said" 2>&1 || status=$?
  [ "$status" = "$wanted" ] || fail "gpu.sh $*: status $status, not $wanted: $(cat "$work/said")"
}
tells() { grep -qF -- "$1" "$work/said" || fail "gpu.sh does not say '$1': $(cat "$work/said")"; }
gpu 0 tests bench
programs=$(($(grep -rhoE '"[a-z_]+\.hpp"' tests/core/op_tables | sort -u | wc -l) + 5))
tells "$programs of $programs programs passed, $((7 * programs)) checks"
tells "1 choices kept, and taken by a second process"
tells "note: cuDNN was not found"
tells "| mlp | bf16 | 2.000 |  |  |  |  |  | 1 |"
tells "| lstm | bf16 | 2.000 |"
grep -qx "LSTM bf16 of 64: cuDNN, persistent 1 us" "$work/out/choices.txt" && grep -qx "convolution of mlp: own kernels" "$work/out/choices.txt" || fail "choices: $(cat "$work/out/choices.txt")"
HANGS="[row_norm]" BREAKS="[attention]" TEST_SECONDS=1 gpu 1 tests
tells "logs/tests.row_norm.log, ended for want of time"
tells "logs/tests.attention.log, status 3"
tells "$((programs - 2)) of $programs programs passed"
HANGS="[kept]" END=-49 gpu 1 tests  # nothing has more than a second
tells "logs/kept.log, the first process, ended for want of time"
SILENT=mlp gpu 1 bench
tells "failed: mlp bf16, status 1"
tells "| lstm | bf16 | 2.000 |"
END=-1 gpu 1 bench
tells "left out for want of time: Tenon, mlp bf16"
LIMIT=-1 SKIP_CPU=1 gpu 0 bench
tells "left out for want of time: PyTorch, lstm bf16"
tells "| lstm | bf16 | 2.000 |"
cases=$(grep -cE '^[a-z]' tests/bench/shapes/cases.txt)
ENDS=sort PYTHON=$work/bare gpu 0 shapes
tells "| matmul f32[1,4096] f32[4096,4096] | 5.2 |"
tells "| sort f32[4194304] | tenon: the program ended with status 3 |"
[ "$(wc -l <"$work/out/shapes.jsonl")" = "$cases" ] || fail "$(wc -l <"$work/out/shapes.jsonl") of $cases cases in shapes.jsonl"
NO_CARD=1 PYTHON=$work/bare gpu 1 shapes
tells "no case was timed: tenon: no usable card"
PYTHON=$work/bare END=-1 gpu 0 shapes
tells "left out for want of time: $cases of $cases cases"

# a file that is no library is not taken for cuDNN; without a home nothing is remembered
echo text >"$work/text"
for named in "$work" "$work/text"; do
  (TENON_CUDNN=$named bash apps/check-gpu.sh || true) >"$work/said"
  grep -qF "TENON_CUDNN names $named, which is no library" "$work/said" || fail "TENON_CUDNN=$named: $(cat "$work/said")"
done
(env -u HOME -u XDG_CACHE_HOME -u TENON_PLAN_MEMORY bash apps/check-gpu.sh || true) >"$work/said"
grep -q "there is no home" "$work/said" || fail "no home: $(cat "$work/said")"
# a toolkit that is named wrongly is told as such; a compiler named without its folder is looked for on the path
(CUDAToolkit_ROOT=$work/none bash apps/check-gpu.sh || true) >"$work/said"
grep -qF "it names $work/none, which is no folder" "$work/said" || fail "CUDAToolkit_ROOT: $(cat "$work/said")"
(CUDACXX=$work/none bash apps/check-gpu.sh || true) >"$work/said"
grep -qF "CUDACXX=$work/none is no nvcc" "$work/said" || fail "CUDACXX: $(cat "$work/said")"
mkdir -p "$work/toolkit/bin" "$work/toolkit/include"
printf '#!/bin/sh\necho "Cuda compilation tools, release 13.0, V13.0.1"\n' >"$work/toolkit/bin/nvcc"
chmod +x "$work/toolkit/bin/nvcc"
touch "$work/toolkit/include/cudnn_graph.h"
(PATH=$work/toolkit/bin:$PATH CUDACXX=nvcc bash apps/check-gpu.sh || true) >"$work/said"
grep -qF "nvcc 13.0 at $work/toolkit/bin/nvcc" "$work/said" && grep -qF "cuDNN's headers at $work/toolkit/include" "$work/said" || fail "CUDACXX=nvcc: $(cat "$work/said")"
status=0; bash apps/check-gpu.sh now >"$work/said" 2>&1 || status=$?
[ "$status" = 2 ] && bash apps/check-gpu.sh --help | grep -q "apps/check-gpu.sh" || fail "check-gpu.sh now: status $status"
bash apps/cuda-toolkit.sh --help | grep -q "apps/cuda-toolkit.sh \[DIR\]" || fail "cuda-toolkit.sh --help"

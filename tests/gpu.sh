#!/usr/bin/env bash
# Everything that needs a GPU, in one call of at most ten minutes: the device tests, compute-sanitizer over them, training steps beside PyTorch's on the
# same card, and the same steps on this machine's CPU. Writes gpu.json, gpu.md, what was chosen by measurement (choices.txt) and logs/ into a folder, and prints the table.
#   bash tests/gpu.sh [tests|sanitize|bench|layers|shapes ...]     default: tests sanitize bench; layers: attention and recurrent layers alone, shapes: single ops over
#                  sizes of all kinds (tests/bench/shapes/cases.txt), times and values, both beside PyTorch's
#   OUT=DIR        where results go (default build/gpu/results)      MODELS="unet3d lstm"   DTYPES="bf16 tf32 f32"   MODES="eager channels_last compile graphs"
#   BINARIES=DIR   binaries that were built elsewhere: DIR/bin, DIR/lib; else core, backend, tests and bench are built here (no ITK, NetCDF, htslib needed)
#   SKIP_CPU=1     leaves the CPU's steps out      WARM_SECONDS=120   for which PyTorch may compile a mode, beside the tests
#   TEST_SECONDS=150, SANITIZE_SECONDS=120   for a program of the device tests
#   CHOOSE_SECONDS=120  for which a model may choose its convolutions and products, before it is timed by another process
#   PEER_SECONDS=75 that a mode of PyTorch may take at most
#   LIMIT=420      seconds after which no more of the peer is started, END=520 after which no more at all; what is left out stays empty in the table.
#                  Of the build two minutes count.
#   PYTHON=python3 one that has PyTorch with CUDA; without one the peer's columns stay empty
set -uo pipefail
cd "$(dirname "$0")/.."
steps=${*:-tests sanitize bench} out=${OUT:-build/gpu/results} models=${MODELS:-unet3d fno2d basset lstm transformer mlp} dtypes=${DTYPES:-bf16}
modes=${MODES:-eager channels_last compile graphs} python=${PYTHON:-python3} rounds=${ROUNDS:-9} seconds=${SECONDS_EACH:-3} end=${END:-520} limit=${LIMIT:-420}
for step in $steps; do
  case $step in tests | sanitize | bench | layers | shapes) ;; *) echo "gpu.sh: unknown step '$step' (tests, sanitize, bench, layers, shapes)" >&2; exit 2 ;; esac
done
mkdir -p "$out/logs"
logs=$out/logs
if [ -z "${BINARIES:-}" ]; then
  BINARIES=build/gpu
  mkdir -p build/gpu
  # PyTorch's packages bring cuDNN's headers along
  VIRTUAL_ENV=${VIRTUAL_ENV:-$("$python" -c 'import sys; print(sys.prefix)' 2>/dev/null)}
  export VIRTUAL_ENV
  { cmake -S . -B build/gpu -G Ninja -DCMAKE_BUILD_TYPE=Release -DTENON_CUDA=on "-DCMAKE_CUDA_ARCHITECTURES=${ARCHITECTURES:-native}" -DTENON_BUILD_MEDICAL=OFF -DTENON_BUILD_CLIMATE=OFF -DTENON_BUILD_GENOMICS=OFF -DTENON_BUILD_FINANCE=OFF -DTENON_FMT_HEADER_ONLY=ON -DTENON_BUILD_GPU_TESTS=ON &&
    cmake --build build/gpu -j "$(nproc)" --target cuda_tests step_bench attention_bench recurrent_bench shapes_bench tenon_cuda; } >build/gpu/build.log 2>&1 || {
    tail -30 build/gpu/build.log
    ! grep -q 'set to "native", but' build/gpu/build.log || echo "failed: no GPU here to build for (nvidia-smi lists none)"
    exit 1
  }
  grep -h "cuDNN: " build/gpu/build.log || true
  [ "$SECONDS" -le 120 ] || { late=$((SECONDS - 120)); end=$((end + late)) limit=$((limit + late)); }
fi
# cuDNN, cuBLAS, cuFFT, cuSOLVER: of the CUDA toolkit, or of the Python packages that bring them
libraries=$(cd "$BINARIES" && pwd)/lib:/usr/local/cuda/lib64
for dir in $("$python" -c 'import site, glob; print(*[d for p in site.getsitepackages() for d in glob.glob(p + "/nvidia/*/lib")])' 2>/dev/null); do libraries+=:$dir; done
failed=0
fail() { echo "failed: $*"; failed=1; }
ours() { LD_LIBRARY_PATH="$libraries" CUBLAS_WORKSPACE_CONFIG="${CUBLAS_WORKSPACE_CONFIG:-:4096:2}" "$@"; }  # as the command sets it: else cuDNN's recurrent layers are not asked
within() {  # seconds, command: ended after them, and none past the end
  local left=$((end + 50 - SECONDS))
  local most=$((left < 1 ? 1 : left < $1 ? left : $1))
  shift
  timeout -k 5 "$most" "$@"
}
ended() { case $1 in 124 | 137) echo "ended for want of time" ;; *) echo "status $1" ;; esac }

# One process a table of ops, and one for what chooses among a library's layers: what one of them does to the device cannot spoil the others.
tables=$(grep -rhoE '"[a-z_]+\.hpp"' tests/core/op_tables | tr -d '"' | sort -u)
parts="long_rows row_norm recurrent attention"
device_tests() {  # name of the logs, seconds, command before the program
  local name=$1 seconds=$2 table part log status rest="~[rows]~[values]~[kept]" pids=()
  shift 2
  for table in $tables; do
    (TENON_CASES="$table: " ours within "$seconds" "$@" "$BINARIES/bin/cuda_tests" "[rows],[values]" >"$logs/$name.$table.log" 2>&1) &
    pids+=($!)
  done
  for part in $parts; do
    rest+="~[$part]"
    (ours within "$seconds" "$@" "$BINARIES/bin/cuda_tests" "[$part]" >"$logs/$name.$part.log" 2>&1) &
    pids+=($!)
  done
  (ours within "$seconds" "$@" "$BINARIES/bin/cuda_tests" "$rest" >"$logs/$name.extra.log" 2>&1) &
  pids+=($!)
  local bad=0 i=0
  for log in $tables $parts extra; do
    wait "${pids[$i]}"
    status=$?
    if [ "$status" -ne 0 ]; then
      bad=$((bad + 1))
      echo "failed: $logs/$name.$log.log, $(ended "$status")"
      grep -aE "^(known gaps|assertions|=+ ERROR)" "$logs/$name.$log.log"
    fi
    i=$((i + 1))
  done
  if grep -aq "skipped: " "$logs/$name".*.log; then  # a machine without a device passes nothing
    fail "$(grep -ahoE "skipped: .*" "$logs/$name".*.log | sort | uniq -c | tr -s ' '), so these say nothing: $(grep -alE "skipped: " "$logs/$name".*.log | xargs -n1 basename | tr '\n' ' ')"
    return
  fi
  echo "$((${#pids[@]} - bad)) of ${#pids[@]} programs passed, $(cat "$logs/$name".*.log | grep -aoE 'All tests passed \([0-9]+' | awk -F'(' '{n += $2} END {print n + 0}') checks"
  [ "$bad" -eq 0 ] || failed=1
}

# Whether a library's kernels are used is no matter of passing: each line says what was taken, and what was refused for which reason.
told_choices() {
  cat "$logs"/tests.*.log "$logs"/*.choices 2>/dev/null | sed -n 's/^ *# chosen: //p' | sort -u >"$out/choices.txt"
  echo "$(wc -l <"$out/choices.txt") choices by measurement in $out/choices.txt, $(grep -ci cudnn "$out/choices.txt") of them name cuDNN"
}

# What was chosen by measurement is kept: a second process chooses the same without measuring, so it adds no line.
kept_choices() {
  local plans=$logs/plans first second
  rm -rf "$plans"
  TENON_PLAN_MEMORY=$plans ours within 60 "$BINARIES/bin/cuda_tests" "[kept]" >"$logs/kept.log" 2>&1 || fail "$logs/kept.log, the first process, $(ended $?)"
  first=$(cat "$plans"/*.plans 2>/dev/null | wc -l)
  TENON_PLAN_MEMORY=$plans ours within 60 "$BINARIES/bin/cuda_tests" "[kept]" >>"$logs/kept.log" 2>&1 || fail "$logs/kept.log, the second process, $(ended $?)"
  second=$(cat "$plans"/*.plans 2>/dev/null | wc -l)
  grep -q "skipped: " "$logs/kept.log" && { fail "no device, so no choice was made to be kept"; return; }
  if compgen -G "$plans/*cudnn-0-*" >/dev/null; then echo "note: cuDNN was not found when this ran (TENON_CUDNN names one), or not built in: what it computes elsewhere went by own kernels"; fi
  if [ "$first" -gt 0 ] && [ "$first" -eq "$second" ]; then echo "$first choices kept, and taken by a second process"
  else fail "$first choices kept by the first process, $((second - first)) more by a second one ($logs/kept.log)"; fi
}

# PyTorch's compiled modes are compiled beside the tests, into a cache of their own: the compiler is no part of what is timed. A mode that was not
# done in WARM_SECONDS is left out.
mkdir -p build/gpu
export TORCHINDUCTOR_CACHE_DIR=${TORCHINDUCTOR_CACHE_DIR:-$(cd build/gpu && pwd)/inductor}
warmed=()
warm_peer() {
  local model mode dtype
  rm -f "$logs"/warm.*
  for dtype in $dtypes; do
    for model in $models; do
      for mode in $modes; do
        [ "$mode" = compile ] || [ "$mode" = graphs ] || continue
        (timeout -k 5 "${WARM_SECONDS:-120}" "$python" tests/bench/peers/torch_reference.py --models "$model" --modes "$mode" --device cuda --dtype "$dtype" --rounds 3 --seconds 0.1 2>/dev/null |
          grep -q ms && touch "$logs/warm.$model.$mode.$dtype") &
        warmed+=($!)
      done
    done
  done
}
case " $steps " in *" tests "*bench*|*" sanitize "*bench*) warm_peer ;; esac

table() { "$python" tests/bench/gpu_table.py "$out/gpu.jsonl" "$out/gpu.json" "$out/gpu.md"; }
step_bench() { ours within "$1" "$BINARIES/bin/step_bench" --model "$model" --dtype "$dtype" "${@:2}"; }
each_row() {  # who: for every row while there is time; the table so far is written after each, so that a run that is cut off leaves it
  for dtype in $dtypes; do
    for model in $models; do
      if [ "$SECONDS" -gt "$end" ]; then
        echo "left out for want of time: $1, $model $dtype"
        [ "$1" != Tenon ] || failed=1
        continue
      fi
      echo "== $1, $model $dtype" >&2
      "$2"
      table >/dev/null
    done
  done
}
on_device() {
  # What a process chooses by trial is no part of the time or the memory of the step: the next one knows it.
  step_bench "${CHOOSE_SECONDS:-120}" --device cuda --rounds 1 --seconds 0.1 --explain >"$logs/$model.$dtype.choices" 2>&1
  step_bench 60 --device cuda --rounds "$rounds" --seconds "$seconds" >>"$out/gpu.jsonl" 2>>"$logs/bench.err" || fail "$model $dtype, $(ended $?): $(tail -1 "$logs/bench.err")"
  [ -z "${PROFILE:-}" ] || step_bench 60 --device cuda --rounds 3 --profile --explain >"$logs/$model.$dtype.profile" 2>&1
}
on_cpu() { step_bench 60 --device cpu --threads "$(nproc)" --rounds 5 --seconds "$seconds" >>"$out/gpu.jsonl" 2>>"$logs/bench.err" || echo "$model $dtype on the CPU: $(ended $?)"; }
by_peer() {
  local peer=() mode  # the modes that were compiled in time
  for mode in $modes; do
    case $mode in compile | graphs) [ ${#warmed[@]} -eq 0 ] || [ -e "$logs/warm.$model.$mode.$dtype" ] || continue ;; esac
    peer+=("$mode")
  done
  [ ${#peer[@]} -gt 0 ] || return 0
  if [ "$SECONDS" -gt "$limit" ]; then
    echo "left out for want of time: PyTorch, $model $dtype"
    return
  fi
  within $((${PEER_SECONDS:-75} * ${#peer[@]})) "$python" tests/bench/peers/torch_reference.py --models "$model" --modes "$(IFS=,; echo "${peer[*]}")" --device cuda --dtype "$dtype" --rounds "$rounds" --seconds "$seconds" >>"$out/gpu.jsonl" 2>>"$logs/peer.err" || true
}
# Lines of one layer each, ours and PyTorch's.
layers() {
  local dtype
  : >"$out/layers.jsonl"
  ours within 60 "$BINARIES/bin/attention_bench" >>"$out/layers.jsonl" 2>>"$logs/bench.err" || fail "attention_bench, $(ended $?): $(tail -1 "$logs/bench.err")"
  within 60 "$python" tests/bench/peers/torch_attention.py >>"$out/layers.jsonl" 2>>"$logs/peer.err"
  for dtype in bf16 f32; do
    ours within 90 "$BINARIES/bin/recurrent_bench" --dtype "$dtype" --rounds 5 --explain >>"$out/layers.jsonl" 2>"$logs/recurrent.$dtype.choices" || fail "recurrent_bench, $dtype, $(ended $?): $(tail -1 "$logs/recurrent.$dtype.choices")"
    within 60 "$python" tests/bench/peers/torch_recurrent.py --dtype "$dtype" --rounds 5 >>"$out/layers.jsonl" 2>>"$logs/peer.err"
  done
  cat "$out/layers.jsonl"
}

# What of them is slower than PyTorch's, or has other values, is no failure of the run but for an end before its time.
shapes() {
  local left=$((end - SECONDS)) status
  PYTHON=$python within "${SHAPES_SECONDS:-280}" "$python" tests/bench/shapes.py --what both --device cuda --turns 2 --seconds 0.02 --threads "$(nproc)" --binary "$BINARIES/bin/shapes_bench" \
    --variable "LD_LIBRARY_PATH=$libraries" --json "$out/shapes.jsonl" --until "$((left < 250 ? left : 250))" >"$out/shapes.md" 2>"$logs/shapes.err"
  status=$?
  cat "$out/shapes.md"
  [ "$status" -le 1 ] || fail "shapes, $(ended "$status"): $(tail -1 "$logs/shapes.err")"
}

for step in $steps; do
  case $step in
    tests)
      echo "== device tests"
      device_tests tests "${TEST_SECONDS:-150}"
      kept_choices
      told_choices
      ;;
    sanitize)
      echo "== compute-sanitizer"
      command -v compute-sanitizer >/dev/null || { fail "compute-sanitizer is not on the path; it is part of the CUDA toolkit"; continue; }
      device_tests sanitizer "${SANITIZE_SECONDS:-120}" compute-sanitizer --tool memcheck --error-exitcode 1
      ;;
    bench)
      [ ${#warmed[@]} -eq 0 ] || wait "${warmed[@]}"
      : >"$out/gpu.jsonl"
      each_row Tenon on_device
      each_row PyTorch by_peer
      [ -n "${SKIP_CPU:-}" ] || each_row "the CPU" on_cpu
      told_choices
      table
      ;;
    layers)
      layers
      told_choices
      ;;
    shapes) shapes ;;
  esac
done
exit $failed

#!/usr/bin/env bash
# Everything that needs a GPU, in one call of at most ten minutes: the device tests, compute-sanitizer over them, training steps beside PyTorch's on the
# same card, and the same steps on this machine's CPU. Writes gpu.json and gpu.md into a folder and prints the table.
#   bash tests/gpu.sh [tests|sanitize|bench ...]     default: all three
#   OUT=DIR        where results go (default build/gpu/results)      MODELS="unet3d lstm"   DTYPES="bf16 tf32 f32"   MODES="eager channels_last compile graphs"
#   BINARIES=DIR   binaries that were built elsewhere: DIR/bin, DIR/lib; else core, backend, tests and bench are built here (no ITK, NetCDF, htslib needed)
#   SKIP_CPU=1     leaves the CPU's steps out      WARM_SECONDS=120   for which PyTorch may compile a mode, beside the tests
#   CHOOSE_SECONDS=120  for which a model may choose its convolutions and products, before it is timed by another process
#   PEER_SECONDS=75 that a mode of PyTorch may take at most
#   LIMIT=420      seconds after which no more of the peer is started, END=540 after which no more at all; what is left out stays empty in the table
#   PYTHON=python3 one that has PyTorch with CUDA; without one the peer's columns stay empty
set -uo pipefail
cd "$(dirname "$0")/.."
steps=${*:-tests sanitize bench} out=${OUT:-build/gpu/results} models=${MODELS:-unet3d fno2d basset lstm transformer mlp} dtypes=${DTYPES:-bf16}
modes=${MODES:-eager channels_last compile graphs} python=${PYTHON:-python3} rounds=${ROUNDS:-9} seconds=${SECONDS_EACH:-3}
for step in $steps; do
  case $step in tests | sanitize | bench) ;; *) echo "gpu.sh: unknown step '$step' (tests, sanitize, bench)" >&2; exit 2 ;; esac
done
mkdir -p "$out"
if [ -z "${BINARIES:-}" ]; then
  BINARIES=build/gpu
  mkdir -p build/gpu
  { cmake -S . -B build/gpu -G Ninja -DCMAKE_BUILD_TYPE=Release -DTENON_CUDA=on "-DCMAKE_CUDA_ARCHITECTURES=${ARCHITECTURES:-native}" -DTENON_BUILD_MEDICAL=OFF -DTENON_BUILD_CLIMATE=OFF -DTENON_BUILD_GENOMICS=OFF -DTENON_BUILD_FINANCE=OFF -DTENON_FMT_HEADER_ONLY=ON -DTENON_BUILD_GPU_TESTS=ON &&
    cmake --build build/gpu -j "$(nproc)" --target cuda_tests step_bench tenon_cuda; } >build/gpu/build.log 2>&1 || { tail -30 build/gpu/build.log; exit 1; }
fi
# cuDNN, cuBLAS, cuFFT, cuSOLVER: of the CUDA toolkit, or of the Python packages that bring them
libraries=$(cd "$BINARIES" && pwd)/lib:/usr/local/cuda/lib64
for dir in $("$python" -c 'import site, glob; print(*[d for p in site.getsitepackages() for d in glob.glob(p + "/nvidia/*/lib")])' 2>/dev/null); do libraries+=:$dir; done
failed=0
ours() { LD_LIBRARY_PATH="$libraries" CUBLAS_WORKSPACE_CONFIG="${CUBLAS_WORKSPACE_CONFIG:-:4096:2}" "$@"; }  # as the command sets it: else cuDNN's recurrent layers are not asked
at_most() {  # seconds, none past the end
  local left=$((${END:-540} + 50 - SECONDS))
  echo $((left < 1 ? 1 : left < $1 ? left : $1))
}

# One process a table of ops: what one of them does to the device cannot spoil the others.
tables=$(grep -rhoE '"[a-z_]+\.hpp"' tests/core/op_tables | tr -d '"' | sort -u)
device_tests() {  # name of the logs, seconds, command before the program
  local name=$1 seconds=$2 table log pids=()
  shift 2
  for table in $tables; do
    (TENON_CASES="$table: " ours timeout "$seconds" "$@" "$BINARIES/bin/cuda_tests" "[rows],[values]" >"$out/$name.$table.log" 2>&1) &
    pids+=($!)
  done
  (ours timeout "$seconds" "$@" "$BINARIES/bin/cuda_tests" "~[rows]~[values]~[kept]~[long_rows]" >"$out/$name.extra.log" 2>&1) &
  pids+=($!)
  (ours timeout "$seconds" "$@" "$BINARIES/bin/cuda_tests" "[long_rows]" >"$out/$name.long_rows.log" 2>&1) &
  pids+=($!)
  local bad=0 i=0
  for log in $tables extra long_rows; do
    wait "${pids[$i]}" || {
      bad=$((bad + 1))
      echo "failed: $out/$name.$log.log"
      grep -aE "^(known gaps|assertions|=+ ERROR)" "$out/$name.$log.log"
    }
    i=$((i + 1))
  done
  if grep -aq "skipped: " "$out/$name".*.log; then  # a machine without a device passes nothing
    echo "failed: $(grep -ahoE "skipped: .*" "$out/$name".*.log | sort | uniq -c | tr -s ' '), so these say nothing: $(grep -alE "skipped: " "$out/$name".*.log | xargs -n1 basename | tr '\n' ' ')"
    failed=1
    return
  fi
  echo "$((${#pids[@]} - bad)) of ${#pids[@]} programs passed, $(cat "$out/$name".*.log | grep -aoE 'All tests passed \([0-9]+' | awk -F'(' '{n += $2} END {print n + 0}') checks"
  [ "$bad" -eq 0 ] || failed=1
}

# What was chosen by measurement is kept: a second process chooses the same without measuring, so it adds no line.
kept_choices() {
  local plans=$out/plans first second
  rm -rf "$plans"
  TENON_PLAN_MEMORY=$plans ours timeout 60 "$BINARIES/bin/cuda_tests" "[kept]" >"$out/kept.log" 2>&1 || failed=1
  first=$(cat "$plans"/*.plans 2>/dev/null | wc -l)
  TENON_PLAN_MEMORY=$plans ours timeout 60 "$BINARIES/bin/cuda_tests" "[kept]" >>"$out/kept.log" 2>&1 || failed=1
  second=$(cat "$plans"/*.plans 2>/dev/null | wc -l)
  grep -q "skipped: " "$out/kept.log" && { echo "failed: no device, so no choice was made to be kept"; failed=1; return; }
  if [ "$first" -gt 0 ] && [ "$first" -eq "$second" ]; then echo "$first choices kept, and taken by a second process"
  else echo "failed: $first choices kept by the first process, $((second - first)) more by a second one ($out/kept.log)"; failed=1; fi
}

# PyTorch's compiled modes are compiled beside the tests, into a cache of their own: the compiler is no part of what is timed. A mode that was not
# done in WARM_SECONDS is left out.
export TORCHINDUCTOR_CACHE_DIR=${TORCHINDUCTOR_CACHE_DIR:-$(cd "$out" && pwd)/inductor}
warmed=()
warm_peer() {
  local model mode dtype
  rm -f "$out"/warm.*
  for dtype in $dtypes; do
    for model in $models; do
      for mode in $modes; do
        [ "$mode" = compile ] || [ "$mode" = graphs ] || continue
        (timeout "${WARM_SECONDS:-120}" "$python" tests/bench/peers/torch_reference.py --models "$model" --modes "$mode" --device cuda --dtype "$dtype" --rounds 3 --seconds 0.1 2>/dev/null |
          grep -q ms && touch "$out/warm.$model.$mode.$dtype") &
        warmed+=($!)
      done
    done
  done
}
case " $steps " in *" tests "*bench*|*" sanitize "*bench*) warm_peer ;; esac

for step in $steps; do
  case $step in
    tests)
      echo "== device tests"
      device_tests tests "${TEST_SECONDS:-240}"
      kept_choices
      ;;
    sanitize)
      echo "== compute-sanitizer"
      command -v compute-sanitizer >/dev/null || { echo "failed: compute-sanitizer is not on the path; it is part of the CUDA toolkit"; failed=1; continue; }
      device_tests sanitizer "${SANITIZE_SECONDS:-150}" compute-sanitizer --tool memcheck --error-exitcode 1
      ;;
    bench)
      [ ${#warmed[@]} -eq 0 ] || wait "${warmed[@]}"
      : >"$out/gpu.jsonl"
      for dtype in $dtypes; do
        for model in $models; do
          if [ "$SECONDS" -gt "${END:-540}" ]; then
            echo "left out for want of time: $model $dtype"
            continue
          fi
          echo "== $model $dtype" >&2
          # What a process chooses by trial is no part of the time or the memory of the step: the next one knows it.
          ours timeout "$(at_most "${CHOOSE_SECONDS:-120}")" "$BINARIES/bin/step_bench" --model "$model" --device cuda --dtype "$dtype" --rounds 1 --seconds 0.1 >/dev/null 2>>"$out/bench.err"
          ours timeout "$(at_most 60)" "$BINARIES/bin/step_bench" --model "$model" --device cuda --dtype "$dtype" --rounds "$rounds" --seconds "$seconds" >>"$out/gpu.jsonl" 2>>"$out/bench.err" || { echo "$model $dtype failed: $(tail -1 "$out/bench.err")"; failed=1; }
          [ -n "${PROFILE:-}" ] && ours timeout "$(at_most 60)" "$BINARIES/bin/step_bench" --model "$model" --device cuda --dtype "$dtype" --rounds 3 --profile --explain >"$out/$model.$dtype.profile" 2>&1
          [ -n "${SKIP_CPU:-}" ] || ours timeout "$(at_most 60)" "$BINARIES/bin/step_bench" --model "$model" --device cpu --dtype "$dtype" --threads "$(nproc)" --rounds 5 --seconds "$seconds" >>"$out/gpu.jsonl" 2>>"$out/bench.err"
          peer=()  # the modes that were compiled in time
          for mode in $modes; do
            case $mode in compile | graphs) [ ${#warmed[@]} -eq 0 ] || [ -e "$out/warm.$model.$mode.$dtype" ] || continue ;; esac
            peer+=("$mode")
          done
          if [ "$SECONDS" -gt "${LIMIT:-420}" ]; then
            echo "left out for want of time: PyTorch, $model $dtype" >&2
          elif [ ${#peer[@]} -gt 0 ]; then
            timeout "$(at_most $((${PEER_SECONDS:-75} * ${#peer[@]})))" "$python" tests/bench/peers/torch_reference.py --models "$model" --modes "$(IFS=,; echo "${peer[*]}")" --device cuda --dtype "$dtype" --rounds "$rounds" --seconds "$seconds" >>"$out/gpu.jsonl" 2>>"$out/peer.err" || true
          fi
          "$python" tests/bench/gpu_table.py "$out/gpu.jsonl" "$out/gpu.json" "$out/gpu.md" >/dev/null  # so far: a run that is cut off leaves its table
        done
      done
      "$python" tests/bench/gpu_table.py "$out/gpu.jsonl" "$out/gpu.json" "$out/gpu.md"
      ;;
  esac
done
exit $failed

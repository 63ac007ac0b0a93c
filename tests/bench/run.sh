#!/usr/bin/env bash
# Our training steps beside PyTorch's, and single ops beside oneDNN, FFTW and a copy of memory, in one run, in turn, several rounds, 2 threads;
# prints Markdown tables with machine, versions and floors.
#   bash tests/bench/run.sh [ROUNDS]    default 3; MODELS="unet3d lstm" for some models, DTYPES="f32 bf16" for the types (bf16 by default only where the
#                                       processor has it); OPS=0 leaves single ops out
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-3} threads=${THREADS:-2} models=${MODELS:-unet3d fno2d basset lstm transformer mlp}
if grep -qE "avx512_bf16|amx_bf16" /proc/cpuinfo; then dtypes=${DTYPES:-f32 bf16}; else dtypes=${DTYPES:-f32}; fi
bash apps/dependencies.sh build medical climate genomics finance bench
python=$(bash tests/bench/peers/setup.sh)
site=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
export LD_LIBRARY_PATH=$site/nvidia/nccl/lib:/usr/local/cuda/lib64
mkdir -p build
{ cmake --preset release -DTENON_BUILD_BENCH=ON && cmake --build --preset release --target step_bench op_bench fft_bench; } >build/bench.log 2>&1 || { tail -20 build/bench.log; exit 1; }
out=build/bench.jsonl
cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)
torch=$("$python" -c 'import torch; print(torch.__version__.split("+")[0])')
versions="PyTorch $torch, oneDNN $(dpkg-query -W -f '${Version}' libdnnl2)"
echo "$(date +%F), $threads threads of $(nproc) cores of ${cpu:-$(uname -m)}, $(. /etc/os-release && echo "$PRETTY_NAME"), Tenon $(git rev-parse --short HEAD), $versions; medians of $rounds rounds, peak memory over the built model:"
echo "\`MODELS=\"$models\" DTYPES=\"$dtypes\" bash tests/bench/run.sh $rounds\`"
echo
peak=$(build/release/bin/op_bench --threads "$threads" --peak)
: >"$out"
for ((round = 1; round <= rounds; round++)); do
  for model in $models; do
    for dtype in $dtypes; do
      echo "round $round of $rounds, $model $dtype" >&2
      build/release/bin/step_bench --model $model --dtype $dtype --threads "$threads" --rounds 9 --seconds 8 >>"$out"
      "$python" tests/bench/peers/torch_reference.py --models $model --dtype $dtype --threads "$threads" --rounds 9 --seconds 8 >>"$out" 2>>build/bench.err
    done
  done
done
"$python" - "$out" "$peak" <<'PY'
import json, statistics, sys
# operations of a step, counted as direct sums (2 a multiplication and addition)
gflop = {"unet3d": 225, "fno2d": 16, "basset": 63, "lstm": 5, "transformer": 45}
peak = float(sys.argv[2])
rows = [json.loads(l) for l in open(sys.argv[1])]
print("| model | type | Tenon ms | PyTorch eager | channels last | compile | ratio to best | floor ms | memory MB | PyTorch MB | ratio |\n|---|---|---|---|---|---|---|---|---|---|---|")
for model in dict.fromkeys(r["model"] for r in rows):
    for dtype in dict.fromkeys(r["dtype"] for r in rows):
        pick = lambda mode, key: [r[key] for r in rows if (r["model"], r["dtype"], r["mode"]) == (model, dtype, mode)]
        med = lambda mode, key: statistics.median(pick(mode, key)) if pick(mode, key) else float("nan")
        modes = ["eager", "channels_last", "compile"]
        ours, theirs = med("tenon", "ms"), {m: med(m, "ms") for m in modes}
        best = min((v, m) for m, v in theirs.items() if v == v)
        mem, peer_mem = med("tenon", "peak_mb"), min(med(m, "peak_mb") for m in modes if med(m, "peak_mb") == med(m, "peak_mb"))
        floor = f"{1e3 * gflop[model] / peak:.0f}" if model in gflop and dtype == "f32" else ""
        print(f"| {model} | {dtype} | {ours:.4g} | " + " | ".join(f"{theirs[m]:.4g}" for m in modes) + f" | **{ours / best[0]:.2f}** | {floor} | {mem:.0f} | {peer_mem:.0f} | {mem / peer_mem:.2f} |")
PY
echo
echo "Floor: operations of the model's products and convolutions, counted as direct sums, at $peak GFLOP/s, the fastest product in f32 in this run (op_bench --peak)."
if [ "${OPS:-1}" != 0 ]; then
  echo
  build/release/bin/op_bench --threads "$threads" --rounds "$rounds"
  echo
  build/release/bin/fft_bench "$rounds"
fi

#!/usr/bin/env bash
# A virtual environment with PyTorch for CPU runs, without the gigabytes of GPU wheels. Prints the python to use.
#   python=$(bash tests/bench/peers/setup.sh)
# PyTorch's wheel links NCCL and the CUDA 13 runtime libraries: LD_LIBRARY_PATH must name them (see run.sh).
set -euo pipefail
dir=${TENON_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/tenon-peers}
if [ ! -f "$dir/.done" ]; then
  python3 -m venv "$dir" >&2
  "$dir/bin/pip" install -q --no-deps torch==2.15.0 nvidia-cufile nvidia-cusparselt-cu13 nvidia-nvshmem-cu13 nvidia-nccl-cu13==2.30.7 triton >&2
  "$dir/bin/pip" install -q filelock typing-extensions sympy networkx jinja2 fsspec numpy nibabel >&2
  touch "$dir/.done"
fi
echo "$dir/bin/python"

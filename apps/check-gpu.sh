#!/usr/bin/env bash
# What a machine has for Tenon's CUDA backend, and what it lacks: bash apps/check-gpu.sh
# Exit code 0: the backend can be built and run here; 1: something is missing (said below each line).
set -uo pipefail
case ${1:-} in
  "") ;;
  -h | --help) sed -n '2,3s/^# //p' "$0"; exit 0 ;;
  *) echo "check-gpu.sh: takes no argument ($1)" >&2; exit 2 ;;
esac
missing=0
have() { printf '  ok       %s\n' "$1"; }
lack() { printf '  missing  %s\n           %s\n' "$1" "$2"; missing=1; }
may() { printf '  absent   %s\n           %s\n' "$1" "$2"; }

libraries() {  # where a shared library is: the loader's places, the toolkit, Python's packages
  ldconfig -p 2>/dev/null | awk -v l="$1" '$1 ~ "^"l {print $NF}'
  local dir
  for dir in ${LD_LIBRARY_PATH:+${LD_LIBRARY_PATH//:/ }} "${cuda:-/usr/local/cuda}"/lib64 "${cuda:-/usr/local/cuda}"/lib /usr/lib/python3*/site-packages/nvidia/*/lib \
    /usr/local/lib/python3*/*-packages/nvidia/*/lib ${VIRTUAL_ENV:+"$VIRTUAL_ENV"/lib/python3*/site-packages/nvidia/*/lib}; do
    ls "$dir/$1"* 2>/dev/null
  done
}
first() { libraries "$1" | head -1; }

echo "To run"
if command -v nvidia-smi >/dev/null && cards=$(nvidia-smi --query-gpu=name,compute_cap,memory.total,driver_version --format=csv,noheader 2>/dev/null) && [ -n "$cards" ]; then
  while IFS=, read -r name capability memory driver; do
    if [ "${capability%%.*}" -ge 8 ] 2>/dev/null; then have "$name,$memory, compute capability$capability, driver$driver"
    else lack "$name: compute capability$capability" "Tenon needs 8.0 (2020) or more"; fi
  done <<<"$cards"
else
  lack "a device with NVIDIA's driver" "on Debian: the non-free package nvidia-driver; then nvidia-smi must list the card"
fi

if [ -n "${CUDACXX:-}" ]; then nvcc=$(command -v "$CUDACXX" || echo "$CUDACXX")
elif [ -x "${CUDAToolkit_ROOT:-}/bin/nvcc" ]; then nvcc=$CUDAToolkit_ROOT/bin/nvcc
else nvcc=$(command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null); fi
cuda=${nvcc:+$(dirname "$(dirname "$nvcc")")}
if [ -n "${CUDAToolkit_ROOT:-}" ]; then
  if [ -d "$CUDAToolkit_ROOT" ]; then cuda=$CUDAToolkit_ROOT; else lack "CUDAToolkit_ROOT" "it names $CUDAToolkit_ROOT, which is no folder: unset it, or name the toolkit's"; fi
fi
for library in libcublasLt.so libcufft.so libcusolver.so libcublas.so libcusparse.so libnvJitLink.so; do  # cuSOLVER needs the last three
  at=$(first $library)
  if [ -n "$at" ]; then have "$library at $at"
  else lack "$library" "it is part of the CUDA toolkit, or: pip install nvidia-cublas nvidia-cufft nvidia-cusolver nvidia-cusparse nvidia-nvjitlink"; fi
done
at=$(first libcudnn.so.9)
[ -n "${TENON_CUDNN:-}" ] && at=$([ -f "$TENON_CUDNN" ] && [ "$(head -c 4 "$TENON_CUDNN" | tail -c 3)" = ELF ] && echo "$TENON_CUDNN")
if [ "${TENON_CUDNN:-}" = none ]; then may "cuDNN" "TENON_CUDNN=none turns it off"
elif [ -n "${TENON_CUDNN:-}" ] && [ -z "$at" ]; then may "cuDNN" "TENON_CUDNN names $TENON_CUDNN, which is no library: convolutions go by our own kernels, slower"
elif [ -n "$at" ]; then have "cuDNN at $at"; else may "cuDNN 9" "convolutions then go by our own kernels, slower; pip install nvidia-cudnn-cu13, and name it: TENON_CUDNN=.../libcudnn.so.9"; fi
cache=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}
memory=${TENON_PLAN_MEMORY:-${cache:+$cache/tenon}}
at=$memory  # what there is of its path
while [ ! -e "$at" ] && [ "$at" != . ]; do at=$(dirname "$at"); done
if [ -z "$memory" ]; then may "a memory of chosen plans" "there is no home (HOME): each process measures anew; TENON_PLAN_MEMORY names a folder"
elif [ "$memory" = none ]; then may "a memory of chosen plans" "TENON_PLAN_MEMORY=none: each process measures anew"
elif [ -d "$at" ] && [ -w "$at" ]; then have "chosen plans are remembered in $memory"
else may "a memory of chosen plans" "$memory cannot be written, so each process measures anew; TENON_PLAN_MEMORY names another folder"; fi

echo "To build"
if [ -n "$nvcc" ] && version=$("$nvcc" --version 2>/dev/null | sed -n 's/.*release \([0-9.]*\).*/\1/p') && [ -n "$version" ]; then
  if [ "${version%%.*}" -ge 12 ]; then have "nvcc $version at $nvcc"; else lack "nvcc 12 or later (found $version)" "https://developer.nvidia.com/cuda-downloads"; fi
else
  lack "the CUDA toolkit (nvcc)${CUDACXX:+: CUDACXX=$CUDACXX is no nvcc}" "NVIDIA's Debian packages (cuda-toolkit), or PyPI's wheels: eval \"\$(bash apps/cuda-toolkit.sh)\""
fi
header=$(find "${cuda:-/usr/local/cuda}/include" "${cuda:-/usr/local/cuda}"/targets/*/include /usr/include -maxdepth 1 -name cudnn_graph.h 2>/dev/null | head -1)
if [ -n "$header" ]; then have "cuDNN's headers at $(dirname "$header")"; else may "cuDNN's headers" "without them the backend is built with our own convolutions alone"; fi
if [ -e "$(dirname "$0")/../build/cudnn-frontend/include/cudnn_frontend.h" ]; then have "cuDNN's frontend"; else may "cuDNN's frontend" "bash apps/dependencies.sh build fetches it with pip where nvcc is found"; fi
exit $missing

#!/usr/bin/env bash
# The CUDA toolkit out of PyPI's wheels, for a machine without NVIDIA's packages: bash apps/cuda-toolkit.sh [DIR]      (build/cuda-toolkit; 2.3 GB)
# The wheels have no links for a linker and no lib64: those are made here. Prints the line that makes CMake and apps/check-gpu.sh use it.
set -euo pipefail
case ${1:-} in
  -h | --help) sed -n 2,3s/^..//p "$0"; exit 0 ;;
  -*) sed -n 2,3s/^..//p "$0" >&2; exit 2 ;;
esac
mkdir -p "${1:-$(dirname "$0")/../build/cuda-toolkit}"
dir=$(cd "${1:-$(dirname "$0")/../build/cuda-toolkit}" && pwd)
root=$dir/nvidia/cu13
if [ ! -e "$dir/.done" ]; then
  python3 -m pip install -q --disable-pip-version-check --no-deps --target "$dir" nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-runtime==13.0.96 \
    nvidia-cuda-cccl==13.0.85 nvidia-cuda-nvrtc==13.0.88 nvidia-nvjitlink==13.0.88 nvidia-cublas==13.1.0.3 nvidia-cufft==12.0.0.61 nvidia-cusolver==12.0.4.66 nvidia-cusparse==12.6.3.3 nvidia-nvtx==13.0.85 \
    nvidia-cudnn-cu13==9.19.0.56 >&2
  ln -sfn lib "$root/lib64"
  for file in "$dir"/nvidia/cudnn/include/*; do ln -sf "$file" "$root/include/"; done
  for file in "$dir"/nvidia/cudnn/lib/*.so.*; do ln -sf "$file" "$root/lib/"; done
  for file in "$root"/lib/lib*.so.*; do
    plain=${file%%.so.*}.so
    [ -e "$plain" ] || ln -s "$(basename "$file")" "$plain"
  done
  touch "$dir/.done"
fi
echo "export CUDAToolkit_ROOT=$root CUDACXX=$root/bin/nvcc LD_LIBRARY_PATH=$root/lib\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"

#!/usr/bin/env bash
# Installs the Debian packages that are missing: bash apps/dependencies.sh GROUP...   build (core and command), medical, climate, genomics, finance, test, bench
# Needs root or sudo only when something is missing.
set -euo pipefail

declare -A packages=(
  [build]="g++ cmake ninja-build ccache libdnnl-dev ocl-icd-opencl-dev nlohmann-json3-dev libtomlplusplus-dev libfmt-dev libcli11-dev
    zlib1g-dev libpng-dev libdeflate-dev libboost-dev libjs-vega curl ca-certificates tar"
  [medical]="libinsighttoolkit5-dev"
  [climate]="libnetcdf-dev libhdf5-dev libnetcdf-c++4-dev libudunits2-dev ferret-datasets"
  [genomics]="libhts-dev"
  [finance]="python3-pip"
  [test]="catch2 libboost-context-dev chromium python3 binutils patch"
  [bench]="libbenchmark-dev libfftw3-single3 python3-venv"
)

wanted=()
for group in "${@:-build}"; do
  [ -n "${packages[$group]:-}" ] || { echo "dependencies.sh: unknown group '$group' (${!packages[*]})" >&2; exit 2; }
  read -ra some <<<"${packages[$group]//$'\n'/ }"
  wanted+=("${some[@]}")
done

# The headers of cuDNN's frontend are in no Debian package. Without them the CUDA backend is built too, with its own convolutions alone.
frontend=$(dirname "$0")/../build/cudnn-frontend
if [[ " ${*:-build} " == *" build "* && ! -e $frontend/include/cudnn_frontend.h ]] && { command -v "${CUDACXX:-nvcc}" >/dev/null || [ -x "${CUDAToolkit_ROOT:-/usr/local/cuda}/bin/nvcc" ]; }; then
  python3 -m pip install -q --no-deps --disable-pip-version-check --target "$frontend" nvidia-cudnn-frontend==1.32.0 >/dev/null 2>&1 ||
    echo "nvidia-cudnn-frontend could not be installed with pip: convolutions on CUDA will be made without cuDNN" >&2
fi

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "missing packages: ${missing[*]}; this script installs them on Debian 12, elsewhere install their like by hand" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "missing packages: ${missing[*]}; run this as root, or install sudo" >&2; exit 1; }
  as_root=(sudo)
fi
echo "installing ${#missing[@]} Debian packages: ${missing[*]}" >&2
log=$(mktemp)
if ! { "${as_root[@]}" apt-get update -qq && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -20 "$log" >&2
  echo "installing packages failed; the whole log is in $log" >&2
  exit 1
fi
rm -f "$log"

#!/usr/bin/env bash
# The climate tools beside CDO, in one run on the same file: bash tests/bench/climate_tools.sh [TENON]
# A file of 1461 x 181 x 360 floats, deflated, is made first (about 280 MB in a temporary folder). Each line: seconds of the best of
# three, ours and CDO's, and their ratio. THREADS (2) are given to both.
set -euo pipefail
tenon=${1:-build/release/bin/tenon}
threads=${THREADS:-2}
command -v cdo >/dev/null || { echo "skipped: needs cdo (apt-get install cdo)"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$(dirname "$0")/../.."

cdo -s -f nc4 -z zip_4 -b F32 -settaxis,2001-01-01,12:00:00,1day -setname,t -addc,280 -mulc,10 -duplicate,1461 -random,r360x181 "$folder/in.nc" 2>/dev/null
export OMP_NUM_THREADS=$threads

best() {  # seconds of the best of three
  local least=1e9
  for _ in 1 2 3; do
    rm -f "$folder/out.nc"
    local start end
    start=$(date +%s.%N)
    "$@" >"$folder/said" 2>&1 || { echo "failed: $*" >&2; cat "$folder/said" >&2; return 1; }
    end=$(date +%s.%N)
    least=$(echo "$start $end $least" | awk '{t = $2 - $1; print t < $3 ? t : $3}')
  done
  echo "$least"
}

line() {  # name, our command, ---, cdo's
  local name=$1
  shift
  local ours=() theirs=() second=0
  for a in "$@"; do
    if [ "$a" = --- ]; then second=1; elif [ $second = 0 ]; then ours+=("$a"); else theirs+=("$a"); fi
  done
  local a b
  a=$(best "${ours[@]}")
  b=$(best "${theirs[@]}")
  echo "$name $a $b" | awk '{printf "%-22s tenon %6.2f s   cdo %6.2f s   ratio %.2f\n", $1, $2, $3, $2 / $3}'
}

echo "1461 x 181 x 360 floats, deflate 4; $threads threads; $(cdo --version 2>&1 | head -1)"
for method in conservative:remapcon bilinear:remapbil; do
  line "regrid-${method%%:*}" "$tenon" climate regrid "$folder/in.nc" "$folder/out.nc" --grid=144x72 --method="${method%%:*}" --deflate=0 --- \
    cdo -s -P "$threads" "${method##*:},r144x72" "$folder/in.nc" "$folder/out.nc"
done
line climatology-monthly "$tenon" climate climatology "$folder/in.nc" "$folder/out.nc" --kind=monthly --deflate=0 --- cdo -s -P "$threads" ymonmean "$folder/in.nc" "$folder/out.nc"
line climatology-daily "$tenon" climate climatology "$folder/in.nc" "$folder/out.nc" --kind=daily --deflate=0 --- cdo -s -P "$threads" ydaymean "$folder/in.nc" "$folder/out.nc"

#!/usr/bin/env bash
# Writing NetCDF where no more bytes fit: exit 6 and nothing left, in either kind of file. (HDF5 would flush what did not fit once more at the end of the process, and crash.)
# A limit on the size of files stands for the disk.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
input=/usr/share/ferret-vis/data/etopo20.cdf
[ -f "$input" ] || { echo "skipped: climate_full_disk (needs $input of Debian's ferret-datasets)"; exit 0; }
for kind in --deflate=0 --deflate=5 --classic; do
  rc=0
  (ulimit -f 300; "$TENON" climate select "$input" "$work/out.nc" --quiet "$kind" 2>"$work/error") || rc=$?
  [ $rc = 6 ] || { cat "$work/error" >&2; echo "exit status $rc with $kind, expected 6" >&2; exit 1; }
  grep -q 'error\[io.no_space\]' "$work/error" || { cat "$work/error" >&2; exit 1; }
  rm "$work/error"
  [ -z "$(ls -A "$work")" ] || { ls -A "$work" >&2; echo "something is left with $kind" >&2; exit 1; }
done
echo "passed: climate full disk"

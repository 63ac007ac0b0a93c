#!/usr/bin/env bash
# Says which kernels of the sources, every function that is __global__, did not run in the tests without a device. $1: the file that these wrote (TENON_KERNELS_RAN), a
# module and a place in it a line.
set -euo pipefail
cd "$(dirname "$0")/../.."
named=$(find core/src -name '*.cu' -o -name '*.cuh' | xargs perl -0777 -ne \
  'while (/__global__\s+(?:static\s+)?(?:void\s+)?(?:__launch_bounds__\((?:[^()]|\([^()]*\))*\)\s*)?(?:void\s+)?(\w+)\s*\(/g) { print "$1\n" }' | sort -u)
ran=$(cut -d' ' -f1 "$1" | sort -u | while read -r module; do
  [ -f "$module" ] || continue  # a copy that a test made, and took away
  join -o 2.2 <(grep -F "$module " "$1" | cut -d' ' -f2 | sort -u) <(nm --defined-only "$module" | cut -d' ' -f1,3 | sort)
done | c++filt | perl -ne 's/\(anonymous namespace\)/_/g; 1 while s/<[^<>]*>//g; /(\w+)\(/ and print "$1\n"' | sort -u)
[ -n "$named" ] || { echo "kernels_ran.sh: core/src has no kernel" >&2; exit 1; }
left=$(comm -23 <(echo "$named") <(echo "$ran"))
[ -z "$left" ] && exit
echo "kernels that no test ran:" $left >&2
exit 1

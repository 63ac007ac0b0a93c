#!/usr/bin/env bash
# Says which kernels of the sources did not run in the tests without a device. $1: the file that these wrote (TENON_KERNELS_RAN).
set -euo pipefail
cd "$(dirname "$0")/../.."
launch='\b(start|start_items|start_runs|start_pool|fold_rows|fill|run|run_map|run_scan|run_transpose|step|total|total_of|lines|voxels)(<[^"()]*>)?\("[a-z0-9_.]+"'
named=$(grep -rhoE "$launch" core/src --include='*.cu' --include='*.cuh' | sed -E 's/.*"(.*)"/\1/' | sort -u)
[ -n "$named" ] || { echo "kernels_ran.sh: no kernel is started in core/src" >&2; exit 1; }
left=$(comm -23 <(echo "$named") <(sort -u "$1"))
[ -z "$left" ] && exit
echo "kernels that no test ran:" $left >&2
exit 1

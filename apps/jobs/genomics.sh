#!/usr/bin/env bash
# Genomics, from the sequences that ship with the project: audits the splice junctions, trains a classifier, scores it beside its baselines,
# predicts windows from a FASTA file, writes a report.
#   bash apps/jobs/genomics.sh RUN [section.key=value ...]      TENON: the command, default build/release/bin/tenon
set -euo pipefail
cd "$(dirname "$0")/../.."
run=${1:?"usage: genomics.sh RUN [section.key=value ...]"}
shift
tenon=${TENON:-$PWD/build/release/bin/tenon}

"$tenon" train plugins/genomics/recipes/splice-junctions.toml --run "$run" "$@"

# the run directory is all that prediction needs
windows=$(mktemp -d)
trap 'rm -rf "$windows"' EXIT
awk -F', *' 'NR % 100 == 0 {print ">" $2 "\n" $3}' data/samples/splice-junctions/splice.txt >"$windows/windows.fa"
"$tenon" predict "$run" "$windows/windows.fa" -o "$run/predictions" --overwrite

#!/usr/bin/env bash
# Climate, from the fields that ship with the project: trains a forecaster of daily sea-level pressure over the North Atlantic, scores it on two
# years that it never saw beside climatology, persistence and linear models, forecasts from the last days, writes a report.
#   bash apps/jobs/climate.sh RUN [section.key=value ...]      TENON: the command, default build/release/bin/tenon
set -euo pipefail
cd "$(dirname "$0")/../.."
run=${1:?"usage: climate.sh RUN [section.key=value ...]"}
shift
tenon=${TENON:-$PWD/build/release/bin/tenon}

"$tenon" train plugins/climate/recipes/slp-north-atlantic.toml --run "$run" train.epochs=0 train.minutes=1 "$@"

# the run directory and the last days are all that a forecast needs
"$tenon" predict "$run" data/samples/slp-north-atlantic/ncep_slp_2001-2008.nc -o "$run/predictions" --overwrite

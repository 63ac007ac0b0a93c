#!/usr/bin/env bash
# The finance job of the quickstart: gets the S&P 500 from PyPI (verified, no Python run), trains a volatility model on 1999 to 2002, scores its
# variances and value at risk on every day of 2003 to 2018 beside GARCH refitted each day, and writes the VaR of every day.
#   bash apps/jobs/finance.sh RUN [section.key=value ...]      TENON: the command, default build/release/bin/tenon
set -euo pipefail
cd "$(dirname "$0")/../.."
run=${1:?"usage: finance.sh RUN [section.key=value ...]"}
shift
tenon=${TENON:-$PWD/build/release/bin/tenon}

prices=$("$tenon" data fetch sp500 --quiet)/sp500.csv.gz
"$tenon" train plugins/finance/recipes/sp500-volatility.toml --run "$run" "data.file=$prices" "$@"
"$tenon" evaluate "$run" --split test
"$tenon" predict "$run" "$prices" -o "$run/predictions" >/dev/null
echo "predictions: $run/predictions/sp500.risk.csv (deviation and value at risk of the day after each)"

#!/usr/bin/env bash
# Reading a CSV of daily prices, typed and validated: ours beside DuckDB's read_csv, in turns, on one thread and on two.
#   bash tests/bench/csv.sh [MEGABYTES]      (default 249); THREADS="1" for one of the two
# TENON names the command (default: build/release/bin/tenon). DuckDB comes from PyPI into build/csv-bench, by fixed version.
set -euo pipefail
cd "$(dirname "$0")/../.."
tenon=${TENON:-build/release/bin/tenon}
megabytes=${1:-249}
work=build/csv-bench
mkdir -p "$work"
file=$work/ohlcv-$megabytes.csv
if [ ! -e "$file" ]; then
  python3 - "$megabytes" "$file.tmp" <<'PY'
import datetime, random, sys
random.seed(1)
size, path = int(sys.argv[1]) * 10**6, sys.argv[2]
day, price, written = datetime.date(1900, 1, 1), 100.0, 0
with open(path, "w") as f:
    written += f.write("Date,Open,High,Low,Close,Volume\n")
    while written < size:
        price = min(max(price * (1 + random.gauss(0, 0.01)), 1.0), 5000.0)
        o, c = price, price * (1 + random.gauss(0, 0.005))
        h, l = max(o, c) * 1.004, min(o, c) * 0.996
        written += f.write(f"{day},{o:.6f},{h:.6f},{l:.6f},{c:.6f},{random.randrange(10**6, 10**9)}\n")
        day = day + datetime.timedelta(days=1) if day.year < 2200 else datetime.date(1900, 1, 1)
PY
  mv "$file.tmp" "$file"
fi
[ -x "$work/venv/bin/python" ] || python3 -m venv "$work/venv"
"$work/venv/bin/python" -c 'import duckdb' 2>/dev/null || "$work/venv/bin/pip" install -q duckdb==1.5.3 || "$work/venv/bin/pip" install -q duckdb
for threads in ${THREADS:-1 2}; do
  for round in 1 2 3; do
    "$tenon" finance check "$file" --no-market --threads "$threads" --json |
      python3 -c "import json, sys; d = json.load(sys.stdin)[0]; print('tenon  threads $threads: %6.0f MB/s, %d rows' % (d['megabytes_per_second'], d['rows']))"
    "$work/venv/bin/python" - "$file" "$threads" <<'PY'
import os, sys, time
import duckdb
path, threads = sys.argv[1], int(sys.argv[2])
c = duckdb.connect()
c.execute(f"set threads to {threads}")
t = time.perf_counter()
c.execute(f"create table t as select * from read_csv('{path}')")
t = time.perf_counter() - t
rows = c.execute("select count(*) from t").fetchone()[0]
print("duckdb threads %d: %6.0f MB/s, %d rows (%s)" % (threads, os.path.getsize(path) / 1e6 / t, rows, duckdb.__version__))
PY
  done
done

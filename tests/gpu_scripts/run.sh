#!/usr/bin/env bash
# What surrounds a GPU's figures and needs no GPU: the table that is made of measured lines, and what the scripts refuse or tell.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "failed: $1" >&2; exit 1; }

# a row's CPU figure is that of its type; a line that was cut off and one without memory are no end of the table
line() { echo "{\"model\": \"mlp\", \"mode\": \"$1\", \"device\": \"$2\", \"dtype\": \"$3\", \"ms\": $4$5}"; }
{ line tenon cuda bf16 1 ', "peak_mb": 10'; line tenon cpu bf16 250 ''; line eager cuda bf16 4 ', "peak_mb": 20'; line graphs cuda bf16 2 ''
  line tenon cuda f32 2 ''; line tenon cpu f32 1000 ''; echo '{"model": "ml'; } >"$work/lines"
python3 tests/bench/gpu_table.py "$work/lines" "$work/table.json" "$work/table.md" >/dev/null
grep -qF "| mlp | bf16 | 1.000 | 4.000 |  |  | 2.000 | 0.50 | 10 | 20 | 0.50 | 250.0 | 250 |" "$work/table.md" || fail "the row of bf16: $(cat "$work/table.md")"
grep -qF "| mlp | f32 | 2.000 |  |  |  |  |  |  |  |  | 1000.0 | 500 |" "$work/table.md" || fail "the row of f32: $(cat "$work/table.md")"

# a step that there is none of is refused before any other runs
status=0; OUT=$work/out BINARIES=$work bash tests/gpu.sh tests nonsense >"$work/said" 2>&1 || status=$?
[ "$status" = 2 ] && [ ! -e "$work/out" ] && grep -q "unknown step 'nonsense'" "$work/said" || fail "gpu.sh tests nonsense: status $status, $(cat "$work/said")"

# a file that is no library is not taken for cuDNN; without a home nothing is remembered
echo text >"$work/text"
for named in "$work" "$work/text"; do
  (TENON_CUDNN=$named bash apps/check-gpu.sh || true) >"$work/said"
  grep -qF "TENON_CUDNN names $named, which is no library" "$work/said" || fail "TENON_CUDNN=$named: $(cat "$work/said")"
done
(env -u HOME -u XDG_CACHE_HOME -u TENON_PLAN_MEMORY bash apps/check-gpu.sh || true) >"$work/said"
grep -q "there is no home" "$work/said" || fail "no home: $(cat "$work/said")"
bash apps/cuda-toolkit.sh --help | grep -q "apps/cuda-toolkit.sh \[DIR\]" || fail "cuda-toolkit.sh --help"

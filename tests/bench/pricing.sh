#!/usr/bin/env bash
# Path-steps a second of Monte Carlo pricing: ours beside QuantLib (Debian's quantlib-python), one thread each, in turns.
#   bash tests/bench/pricing.sh
# TENON names the command (default: build/release/bin/tenon). Both price a call of one year in 252 steps and print the closed form's distance.
set -euo pipefail
cd "$(dirname "$0")/../.."
tenon=${TENON:-build/release/bin/tenon}
python=${PYTHON:-/usr/bin/python3}
"$python" -c 'import QuantLib' 2>/dev/null || { echo "skipped: needs QuantLib for $python (apt-get install quantlib-python)" >&2; exit 0; }
ours() {
  "$tenon" finance price --threads 1 --json --steps 252 --paths "$1" --rate 0.03 --dividend 0.01 "${@:2}" |
    python3 -c "import json, sys; d = json.load(sys.stdin); print(d['path_steps_per_second'], d['deviation_in_errors'])"
}
theirs() {
  "$python" - "$1" <<'PY'
import sys, time
import QuantLib as ql
today = ql.Date(2, 1, 2020)
ql.Settings.instance().evaluationDate = today
count = ql.Actual365Fixed()
rate = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.03, count))
dividend = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.01, count))
spot = ql.QuoteHandle(ql.SimpleQuote(100.0))
option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Call, 100.0), ql.EuropeanExercise(today + 365))
paths = 10000
if sys.argv[1] == "gbm":
    vol = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), 0.2, count))
    process = ql.BlackScholesMertonProcess(spot, dividend, rate, vol)
    engine = ql.MCEuropeanEngine(process, "PseudoRandom", timeSteps=252, requiredSamples=paths, seed=1)
    exact = ql.AnalyticEuropeanEngine(process)
else:
    process = ql.HestonProcess(rate, dividend, spot, 0.04, 2.0, 0.04, 0.5, -0.7)
    engine = ql.MCEuropeanHestonEngine(process, "PseudoRandom", timeSteps=252, requiredSamples=paths, seed=1)
    exact = ql.AnalyticHestonEngine(ql.HestonModel(process), 144)
option.setPricingEngine(engine)
t = time.perf_counter()
value = option.NPV()
t = time.perf_counter() - t
error = option.errorEstimate()
option.setPricingEngine(exact)
print(paths * 252 / t, (value - option.NPV()) / error)
PY
}
for round in 1 2 3; do
  read -r a da < <(ours 1000000 --model gbm --volatility 0.2)
  read -r b db < <(theirs gbm)
  read -r c dc < <(ours 200000 --model heston)
  read -r d dd < <(theirs heston)
  python3 -c "
print('GBM    %.4g against QuantLib %.4g path-steps a second: x %.0f (off by %.1f and %.1f errors)' % ($a, $b, $a / $b, $da, $db))
print('Heston %.4g against QuantLib %.4g path-steps a second: x %.0f (off by %.1f and %.1f errors)' % ($c, $d, $c / $d, $dc, $dd))"
done

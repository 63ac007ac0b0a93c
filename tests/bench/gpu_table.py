#!/usr/bin/env python3
"""Makes one JSON file and one Markdown table of the lines that tests/gpu.sh gathered.

    python3 gpu_table.py gpu.jsonl gpu.json gpu.md
"""
import datetime
import json
import statistics
import subprocess
import sys


def card():
    try:
        ask = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        return subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip().splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def main():
    source, json_path, markdown_path = sys.argv[1:4]
    rows = []
    for line in open(source):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:  # of a run that was cut off
            continue
    rows = [r for r in rows if isinstance(r, dict) and {"model", "mode", "device", "dtype", "ms"} <= r.keys()]

    def of(model, dtype, mode, device, key):
        found = [r[key] for r in rows if (r["model"], r["mode"], r["device"], r["dtype"]) == (model, mode, device, dtype) and key in r]
        return statistics.median(found) if found else None

    show = lambda v, form="{:.3f}": "" if v is None else form.format(v)
    lines = [f"{card()}, {datetime.date.today()}; milliseconds a training step, MB of device memory at the most", "",
             "| model | type | Tenon | PyTorch eager | channels last | compile | compile, CUDA graphs | ratio to best | memory | PyTorch | ratio | Tenon on the CPU | CPU / GPU |",
             "|---|---|---|---|---|---|---|---|---|---|---|---|---|"]
    results = []
    for model, dtype in dict.fromkeys((r["model"], r["dtype"]) for r in rows if r["device"] == "cuda"):
        modes = {m: of(model, dtype, m, "cuda", "ms") for m in ("eager", "channels_last", "compile", "graphs")}
        best = min((v for v in modes.values() if v is not None), default=None)
        memory = min((v for v in (of(model, dtype, m, "cuda", "peak_mb") for m in modes) if v is not None), default=None)
        ours, mine, cpu = of(model, dtype, "tenon", "cuda", "ms"), of(model, dtype, "tenon", "cuda", "peak_mb"), of(model, dtype, "tenon", "cpu", "ms")
        ratio = lambda a, b: None if a is None or not b else a / b
        results.append({"model": model, "dtype": dtype, "tenon_ms": ours, **{f"torch_{k}_ms": v for k, v in modes.items()}, "ratio": ratio(ours, best),
                        "tenon_mb": mine, "torch_mb": memory, "memory_ratio": ratio(mine, memory), "tenon_cpu_ms": cpu, "cpu_over_gpu": ratio(cpu, ours)})
        lines.append(f"| {model} | {dtype} | {show(ours)} | " + " | ".join(show(v) for v in modes.values()) +
                     f" | {show(ratio(ours, best), '{:.2f}')} | {show(mine, '{:.0f}')} | {show(memory, '{:.0f}')} | {show(ratio(mine, memory), '{:.2f}')} | {show(cpu, '{:.1f}')} | {show(ratio(cpu, ours), '{:.0f}')} |")
    json.dump({"card": card(), "date": str(datetime.date.today()), "rows": rows, "results": results}, open(json_path, "w"), indent=1)
    text = "\n".join(lines) + "\n"
    open(markdown_path, "w").write(text)
    print(text)


if __name__ == "__main__":
    main()

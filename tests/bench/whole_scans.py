#!/usr/bin/env python3
"""Labels whole scans by `tenon predict` on each device, and prints a Markdown table: seconds a scan, from the difference between many scans and one, so that
neither starting, loading the model nor choosing plans counts. The scans are made up: noise of the given size on 1 mm voxels; the model is the U-Net of
hippocampus-sample, trained for one step, with windows of --patch voxels that overlap by half.

    python3 tests/bench/whole_scans.py [--tenon build/release/bin/tenon] [--devices cuda,cpu] [--size 160] [--patch 64] [--width 32] [--scans 4]
"""
import argparse
import array
import json
import pathlib
import random
import struct
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def write_scan(path, size, seed):
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, size, size, size, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 16, 32)
    struct.pack_into("<8f", header, 76, 1, 1, 1, 1, 1, 0, 0, 0)
    struct.pack_into("<f", header, 108, 352)
    header[123] = 2  # mm
    struct.pack_into("<h", header, 254, 1)
    for row in range(3):
        struct.pack_into("<4f", header, 280 + 16 * row, *[float(row == column) for column in range(4)])
    header[344:348] = b"n+1\0"
    noise = random.Random(seed)
    path.write_bytes(bytes(header) + array.array("f", (noise.random() for _ in range(size**3))).tobytes())


def seconds(command):
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit((done.stderr.strip().splitlines() or ["?"])[0])
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenon", default=str(ROOT / "build/release/bin/tenon"))
    parser.add_argument("--devices", default="cuda,cpu")
    for name, default in (("size", 160), ("patch", 64), ("width", 32), ("scans", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    a = parser.parse_args()
    if min(a.size, a.patch, a.width, a.scans) < 1:
        parser.error("--size, --patch, --width and --scans are 1 at least")
    devices = a.devices.split(",")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        scans = [folder / f"scan_{i}.nii" for i in range(a.scans + 1)]
        for i, scan in enumerate(scans):
            write_scan(scan, a.size, i)
        recipe = str(ROOT / "plugins/medical/recipes/hippocampus-sample.toml")
        took, precision = {}, {}
        for device in devices:
            run = folder / device
            seconds([a.tenon, "train", recipe, "--run", str(run), "--device", device, "--quiet", "train.minutes=0", "train.steps=1", "train.evaluate=false", "train.validate_every=0",
                     f"patch.size=[{a.patch},{a.patch},{a.patch}]", f"model.width={a.width}", "predict.mirror=[]"])
            precision[device] = json.load(open(run / "state.json"))["precision"]

            def predict(files, to):
                return seconds([a.tenon, "predict", str(run), *map(str, files), "-o", str(folder / f"{device}-{to}"), "--device", device, "--quiet"])

            predict(scans[:1], "first")  # plans that are kept are chosen
            one, many = predict(scans[:1], "one"), predict(scans, "many")
            took[device] = (many - one) / a.scans
    print("| scan | windows of | " + " | ".join(f"{d}, s a scan" for d in devices) + " | ratio |")
    print("|---" * (3 + len(devices)) + "|")
    ratio = f"{took[devices[1]] / took[devices[0]]:.1f}" if len(devices) == 2 else ""
    print(f"| {a.size}^3 | {a.patch}^3 | " + " | ".join(f"{took[d]:.2f} ({precision[d]})" for d in devices) + f" | {ratio} |")


if __name__ == "__main__":
    main()

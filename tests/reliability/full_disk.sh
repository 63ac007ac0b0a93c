#!/usr/bin/env bash
# A disk that fills up while checkpoints are written: exit 6, the previous checkpoint stays good, and the run goes on
# from it to the same bits once there is room. Needs a file system of its own (root); skipped by name otherwise.
source "$(dirname "$0")/common.sh"
disk=$work/disk
mkdir "$disk"
mount -t tmpfs -o size=2500k tmpfs "$disk" 2>/dev/null || { echo "skipped: full_disk (mounting a tmpfs needs root)"; exit 0; }
trap 'umount "$disk"; rm -rf "$work"' EXIT
length=(train.steps=40 train.checkpoint_every=4 train.evaluate=false)
"${train[@]}" --run "$work/whole" "${length[@]}" >/dev/null
rc=0
(while sleep 0.02; do
  [ -f "$disk/run/checkpoints/last.safetensors" ] && { dd if=/dev/zero of="$disk/filler" bs=1k count=2500 2>/dev/null || true; break; }
done) &
filler=$!
"${train[@]}" --run "$disk/run" "${length[@]}" >/dev/null 2>"$work/error" || rc=$?
wait $filler || true
[ $rc = 6 ] || { cat "$work/error" >&2; fail "exit status $rc, expected 6"; }
grep -q 'error\[io.no_space\]' "$work/error" || { cat "$work/error" >&2; fail "the error does not say that the disk is full"; }
rm "$disk/filler"
ls "$disk"/run/checkpoints/.*tmp* 2>/dev/null && fail "a temporary file was left"
"$TENON" train --resume "$disk/run" --quiet >/dev/null
same "$work/whole/checkpoints/last.safetensors" "$disk/run/checkpoints/last.safetensors"
echo "passed: full disk"

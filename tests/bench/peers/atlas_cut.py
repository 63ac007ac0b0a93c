#!/usr/bin/env python3
"""The image-blind atlas of the hippocampus folds, cut at several label frequencies: what a model that maximises Dice can reach without looking.

    python atlas_cut.py DATA/medical/hippocampus [FOLD]
"""
import json, sys
import nibabel, numpy as np

SHAPE = (36, 50, 35)  # about the median size


def resize(volume, shape):
    """Linear, voxel centres mapped, one axis after the other."""
    for axis, n in enumerate(shape):
        m = volume.shape[axis]
        at = np.clip((np.arange(n) + .5) * m / n - .5, 0, m - 1)
        low = np.minimum(at.astype(int), m - 2)
        weight = (at - low).reshape([n if k == axis else 1 for k in range(volume.ndim)])
        volume = np.take(volume, low, axis) * (1 - weight) + np.take(volume, low + 1, axis) * weight
    return volume


def main():
    root, fold = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0
    folds = json.load(open(root + "/folds.json"))
    ids = lambda k: [c if isinstance(c, str) else c["id"] for c in folds[f"fold_{k}"]]
    labels = lambda i: np.asanyarray(nibabel.load(f"{root}/labelsTr/{i}.nii.gz").dataobj).astype("u1")
    train = [labels(i) for k in range(4) if k != fold for i in ids(k)]
    validation = [labels(i) for i in ids(fold)]
    atlas = {l: np.mean([resize((t == l).astype("f4"), SHAPE) for t in train], 0) for l in (1, 2)}
    dice = lambda p, y: 2 * (p & y).sum() / max(1, p.sum() + y.sum())
    for cut in (.5, .45, .4, .35, .3, .25):
        print(cut, [round(float(np.mean([dice(resize(atlas[l], v.shape) > cut, v == l) for v in validation])), 4) for l in (1, 2)])


if __name__ == "__main__":
    main()

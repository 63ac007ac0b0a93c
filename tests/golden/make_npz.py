"""numpy's archives for core/io/npz_test.cpp: writes numpy_stored.npz and numpy_deflated.npz beside this file."""
import pathlib

import numpy as np

here = pathlib.Path(__file__).parent
arrays = {
    "half": np.array([0.5, -1, 65504], np.float16),
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "flags": np.array([True, False, True]),
    "zeros": np.zeros((100, 10), np.float32),
}
np.savez(here / "numpy_stored.npz", **{k: v for k, v in arrays.items()})
np.savez_compressed(here / "numpy_deflated.npz", **arrays)

"""DLPack and .npz against numpy, and PyTorch where it is and not left out: python check.py libexchange.so [numpy]"""
import ctypes
import gc
import os
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    print("skipped: this Python has no numpy")
    sys.exit(0)

lib = ctypes.CDLL(sys.argv[1])
for name, result, arguments in [
    ("give", ctypes.c_void_p, [ctypes.c_int]), ("give_versioned", ctypes.c_void_p, [ctypes.c_int, ctypes.c_int]), ("released", ctypes.c_int, []),
    ("take", ctypes.c_int, [ctypes.c_void_p]), ("take_versioned", ctypes.c_int, [ctypes.c_void_p]), ("error", ctypes.c_char_p, []),
    ("address", ctypes.c_void_p, []), ("checksum", ctypes.c_double, []), ("add_one", None, []), ("drop", None, []),
    ("copy_npz", ctypes.c_int, [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int])]:
    function = getattr(lib, "exchange_" + name)
    function.restype, function.argtypes = result, arguments
api = ctypes.pythonapi
api.PyCapsule_New.restype, api.PyCapsule_New.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
api.PyCapsule_GetPointer.restype, api.PyCapsule_GetPointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
api.PyCapsule_SetName.restype, api.PyCapsule_SetName.argtypes = ctypes.c_int, [ctypes.py_object, ctypes.c_char_p]
PLAIN, VERSIONED = b"dltensor", b"dltensor_versioned"
USED = {PLAIN: b"used_dltensor", VERSIONED: b"used_dltensor_versioned"}  # kept alive: a capsule does not copy its name
F32, F64, F16, BF16, I8, I16, I32, I64, U8, BOOL = range(10)


class Ours:
    """A tensor of Tenon's as an object with the array interface of DLPack."""

    def __init__(self, dtype, versioned, read_only=False):
        self.arguments = dtype, versioned, read_only

    def __dlpack_device__(self):
        return 1, 0

    def __dlpack__(self, **_):
        dtype, versioned, read_only = self.arguments
        if versioned:
            return api.PyCapsule_New(lib.exchange_give_versioned(dtype, int(read_only)), VERSIONED, None)
        return api.PyCapsule_New(lib.exchange_give(dtype), PLAIN, None)


def take(capsule, name):
    pointer = api.PyCapsule_GetPointer(capsule, name)
    assert api.PyCapsule_SetName(capsule, USED[name]) == 0
    return (lib.exchange_take if name == PLAIN else lib.exchange_take_versioned)(pointer)


def checksum(array):
    return float((np.arange(1, array.size + 1) * np.asarray(array, np.float64).ravel()).sum())


expected = np.arange(24).reshape(2, 3, 4).transpose(2, 1, 0)
NUMPY = {F32: np.float32, F64: np.float64, F16: np.float16, I8: np.int8, I16: np.int16, I32: np.int32, I64: np.int64, U8: np.uint8}

# from Tenon to numpy
for dtype, kind in NUMPY.items():
    for versioned in (False, True):
        before = lib.exchange_released()
        array = np.from_dlpack(Ours(dtype, versioned))
        assert array.dtype == kind and array.shape == (4, 3, 2), (array.dtype, array.shape)
        assert np.array_equal(array, expected)
        assert array.strides == tuple(s * array.itemsize for s in (1, 4, 12))
        if dtype == F64:
            assert lib.exchange_released() == before
            del array
            gc.collect()
            assert lib.exchange_released() == before + 1, "the deleter was not called once"
assert not np.from_dlpack(Ours(F64, True, read_only=True)).flags.writeable
assert np.from_dlpack(Ours(F64, True)).flags.writeable
gc.collect()

# from numpy to Tenon
for kind in NUMPY.values():
    for array in (np.arange(60).reshape(5, 12).astype(kind), np.arange(60).reshape(5, 12).astype(kind).T[2:, ::2]):
        for name, options in ((PLAIN, {}), (VERSIONED, {"max_version": (1, 0)})):
            users = sys.getrefcount(array)
            assert take(array.__dlpack__(**options), name) == 0, lib.exchange_error()
            assert lib.exchange_address() == array.ctypes.data
            assert lib.exchange_checksum() == checksum(array)
            assert sys.getrefcount(array) == users + 1
            lib.exchange_add_one()
            assert lib.exchange_checksum() == checksum(array)
            lib.exchange_drop()
            assert sys.getrefcount(array) == users, "the deleter was not called once"
fixed = np.arange(3.0)
fixed.flags.writeable = False
assert take(fixed.__dlpack__(max_version=(1, 0)), VERSIONED) == 1 and lib.exchange_error() == b"dlpack.read_only"
for refused, code in ((np.arange(3, dtype=np.uint16), b"dlpack.dtype"), (np.arange(3.0)[::-1], b"dlpack.strides")):
    assert take(refused.__dlpack__(), PLAIN) == 1 and lib.exchange_error() == code, (refused, lib.exchange_error())

# .npz: what numpy wrote and we copied, numpy reads to the same
arrays = {"f": np.linspace(0, 1, 1000, dtype=np.float32).reshape(10, 100), "half": np.array([0.1, -2, 65504], np.float16), "flags": np.array([[True, False]]),
          "columns": np.asfortranarray(np.arange(12, dtype=np.int16).reshape(3, 4)), "scalar": np.float64(2.5), "none": np.zeros((0, 3), np.uint8),
          "big": np.zeros((300, 1000), np.int64)}
with tempfile.TemporaryDirectory() as folder:
    for save in (np.savez, np.savez_compressed):
        source, copy = os.path.join(folder, "a.npz"), os.path.join(folder, "b.npz")
        save(source, **arrays)
        for deflated in (0, 1):
            for wide in (0, 1):
                assert lib.exchange_copy_npz(source.encode(), copy.encode(), deflated, wide) == 0, lib.exchange_error()
                with np.load(copy) as back:
                    assert back.files == list(arrays)
                    for key, value in arrays.items():
                        assert back[key].dtype == value.dtype and back[key].shape == value.shape and np.array_equal(back[key], value), key
print("numpy", np.__version__, "agrees")
if sys.argv[2:] == ["numpy"]:  # PyTorch takes seconds to load
    sys.exit(0)

try:
    import torch
except Exception as error:  # absent, or its libraries are
    print("PyTorch is not there:", error)
    sys.exit(0)
TORCH = {F32: torch.float32, F64: torch.float64, F16: torch.float16, BF16: torch.bfloat16, I8: torch.int8, I16: torch.int16, I32: torch.int32, I64: torch.int64, U8: torch.uint8}
for dtype, kind in TORCH.items():
    for versioned in (False, True):
        before = lib.exchange_released()
        tensor = torch.from_dlpack(Ours(dtype, versioned))
        assert tensor.dtype == kind and tensor.stride() == (1, 4, 12)
        assert np.array_equal(tensor.double().numpy(), expected)
        del tensor
        gc.collect()
        assert lib.exchange_released() == before + (dtype == F64) or dtype != F64
    tensor = torch.arange(60).reshape(5, 12).to(kind).T[2:, 1::2]
    assert take(tensor.__dlpack__(), PLAIN) == 0, lib.exchange_error()
    assert lib.exchange_address() == tensor.data_ptr()
    assert lib.exchange_checksum() == checksum(tensor.double().numpy())
    lib.exchange_drop()
flags = torch.tensor([True, False, True])
assert take(flags.__dlpack__(), PLAIN) == 0 and lib.exchange_checksum() == 4
lib.exchange_drop()
print("PyTorch", torch.__version__, "agrees")

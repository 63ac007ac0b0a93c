/// NumPy's .npy, versions 1.0 and 2.0: one array a file
/// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
///
/// Little-endian f2 f4 f8 i1 i2 i4 i8 u1 b1 c8 c16; written in C order, version 1.0. An array in Fortran order is read into
/// C order. The reader is strict: a file whose length is not exactly what its header says is refused (npy.*).
#pragma once

#include <filesystem>

#include "tenon/export.hpp"
#include "tenon/tensor.hpp"

namespace tenon {

/// Writes atomically. bf16 has no .npy type: a usage error.
TENON_API void save_npy(const std::filesystem::path& path, const Tensor& tensor);
TENON_API Tensor load_npy(const std::filesystem::path& path);

}  // namespace tenon

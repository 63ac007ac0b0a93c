/// NumPy's .npz: a ZIP archive of .npy members, one a tensor, named "<name>.npy".
///
/// Members are stored or deflated; ZIP64 where sizes or offsets pass 32 bits. Saving the same input gives the same bytes (with the same
/// zlib). The reader is strict, for files may come from anywhere: members must lie one after the other without overlap, in the size that
/// the directory states, with their CRC-32; names must differ; encrypted, split and otherwise packed archives are refused (npz.*, npy.*). A
/// member cannot expand by more than deflate can (1032 times), so memory is bounded by the file's size, and by `max_bytes`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tenon/export.hpp"
#include "tenon/tensor.hpp"

namespace tenon {

enum class NpzCompression { stored, deflated };

/// Writes atomically, in the given order. Tensors may lie on any device and need not be contiguous. bf16 has no .npy type: a usage error.
TENON_API void save_npz(const std::filesystem::path& path, const std::vector<std::pair<std::string, Tensor>>& tensors,
                        NpzCompression compression = NpzCompression::stored);

/// Reads onto the CPU, in the order of the archive's directory. More than `max_bytes` of tensors, unpacked, is refused before any is read
/// (npz.too_large).
TENON_API std::vector<std::pair<std::string, Tensor>> load_npz(const std::filesystem::path& path, std::uint64_t max_bytes = std::uint64_t(1)
                                                                                                                            << 38);

}  // namespace tenon

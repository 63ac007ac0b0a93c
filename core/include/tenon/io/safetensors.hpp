/// safetensors: named tensors and string metadata in one file (https://huggingface.co/docs/safetensors).
///
/// The format is 8 bytes little-endian header length, a JSON header, raw row-major data. Saving the same input gives the
/// same bytes. The reader is strict, for files may come from anywhere: anything that is not exactly a well-formed file
/// (lengths, overlaps, gaps, duplicate keys, unknown types) is refused with a safetensors.* code before memory for
/// tensors is taken.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tenon/export.hpp"
#include "tenon/tensor.hpp"

namespace tenon {

struct TensorFile {
  std::vector<std::pair<std::string, Tensor>> tensors;  ///< in the order of their data
  std::map<std::string, std::string> metadata;
};

/// Writes atomically. Tensors keep their order, except that wider elements come first so that all data is aligned.
/// Tensors may lie on any device and need not be contiguous.
TENON_API void save_safetensors(const std::filesystem::path& path, const std::vector<std::pair<std::string, Tensor>>& tensors,
                                const std::map<std::string, std::string>& metadata = {});

/// Reads onto the CPU.
TENON_API TensorFile load_safetensors(const std::filesystem::path& path);

}  // namespace tenon

/// The bytes of one .npy array, wherever they stand: a file of its own or a member of an archive (private).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tenon/tensor.hpp"

namespace tenon {

/// What is read from: `size()` bytes, once through.
class NpySource {
 public:
  virtual ~NpySource() = default;
  virtual std::uint64_t size() const = 0;
  /// Fewer bytes than asked for only at the end.
  virtual std::size_t read(void* data, std::size_t size) = 0;
};

/// Strict: the size must be exactly what the header says. Errors (npy.*) begin with `name`.
Tensor read_npy(NpySource& source, const std::string& name);

/// All that stands before the elements. A usage error, opened by `op`, for a tensor that is undefined or has no .npy type.
std::string npy_head(const char* op, const Tensor& tensor);

}  // namespace tenon

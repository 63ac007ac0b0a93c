/// Kernel slots of embedding (private).
#pragma once

#include <cstddef>
#include <string>

#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon {

struct EmbeddingRows {
  DType dtype;
  std::int64_t rows, channels, count, padding;
};
/// Position `at` of the indices names no row.
[[noreturn]] inline void refuse_row(std::int64_t index, std::int64_t at, std::int64_t rows) {
  throw Error(ErrorKind::data, "embedding.index", "embedding: index " + std::to_string(index) + " at position " + std::to_string(at) + " of a table of " + std::to_string(rows) + " rows",
              "indices lie in [0, rows)");
}
/// table, indices i64 -> y; any type, by its size
extern TENON_API KernelSlot<const EmbeddingRows&> embedding_kernel;
/// d_y, indices i64 -> d_table; f32 or f64; then the workspace, if the device wants one
extern TENON_API KernelSlot<const EmbeddingRows&> embedding_gradient_kernel;

using EmbeddingWorkspaceFn = std::function<std::size_t(const EmbeddingRows&)>;
/// Bytes of workspace that a device's gradient wants, none unless set; set along with its kernel.
TENON_API void set_embedding_workspace(DeviceType type, EmbeddingWorkspaceFn bytes);

}  // namespace tenon

/// Kernel slots of embedding (private).
#pragma once

#include "tenon/kernel.hpp"

namespace tenon {

struct EmbeddingRows {
  DType dtype;
  std::int64_t rows, channels, count, padding;
};
/// table, indices i64 -> y; any type, by its size
extern TENON_API KernelSlot<const EmbeddingRows&> embedding_kernel;
/// d_y, indices i64 -> d_table; f32 or f64
extern TENON_API KernelSlot<const EmbeddingRows&> embedding_gradient_kernel;

}  // namespace tenon

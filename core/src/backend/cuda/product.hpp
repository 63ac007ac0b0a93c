/// Matrix products prepared once, for the slots that are made of them (private). Implemented in library/product.cu.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "backend/matmul_geometry.hpp"

namespace tenon::cuda {

/// c = a b (+ bias), or c += a b; a batch of them at equal distances. Strides and steps in elements; of each pair of strides one is 1
/// and the other spans at least the other axis. c is row major.
struct ProductShape {
  DType in = DType::f32;   ///< of a and b: f32, f64, bf16 or f16
  DType out = DType::f32;  ///< of c: that of a and b, or f32 for 16-bit ones
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t a_row = 0, a_col = 0, b_row = 0, b_col = 0;
  std::int64_t c_row = 0;  ///< 0: c is dense; else no bias, no sums and no epilogue
  std::int64_t count = 1, a_step = 0, b_step = 0, c_step = 0;
  bool bias = false;  ///< one value a column: f32, for f64 f64
  bool add = false;   ///< c += in place of c =; no bias then
  bool sums = false;  ///< also the sums of a's rows, one a row of c, or with an activation's gradient those of c's columns: f32, for f64 f64; one matrix, no bias
  Epilogue epilogue = Epilogue::none;  ///< one matrix, out is in, nothing added
  bool auxiliary = false;              ///< of an activation: also what its gradient reads (auxiliary_row)
  auto operator<=>(const ProductShape&) const = default;
};

/// Enqueues the product on stream(). `workspace`: product_workspace bytes, or null where that is 0.
using ProductCall = std::function<void(const void* a, const void* b, const void* bias, void* c, void* workspace)>;

/// Sizes are 1 at least. Operands in f32 may be rounded to TF32 where tf32_allowed() holds now. The same shape gives the same bits, for as
/// long as the library and the device are the same.
ProductCall make_product(const ProductShape& shape);
std::size_t product_workspace(const ProductShape& shape);

/// The same with `sums`. Empty where the library does not add them up on the way.
using SummedProductCall = std::function<void(const void* a, const void* b, void* c, void* sums)>;
SummedProductCall make_summed_product(const ProductShape& shape);

/// Of a product with an epilogue.
struct FusedOperands {
  const void *a = nullptr, *b = nullptr, *bias = nullptr;
  void *c = nullptr, *sums = nullptr;
  void* auxiliary = nullptr;  ///< written by an activation, read by its gradient
  void* workspace = nullptr;  ///< product_workspace bytes
};
/// Operands and results lie on 16 bytes. Empty where the library has no such product, or where it computes something else than the product and our
/// own kernels do: it is tried on noise when it is first asked for. choices_made() tells which. While a graph is captured nothing can be tried, and
/// what was not tried before is empty.
using FusedProductCall = std::function<void(const FusedOperands&)>;
FusedProductCall make_fused_product(const ProductShape& shape);

}  // namespace tenon::cuda

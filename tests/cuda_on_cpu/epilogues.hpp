/// Which products with an epilogue the shim's "library" has, for tests of what happens where there are fewer.
#pragma once

#include "backend/cuda/product.hpp"

namespace tenon::cuda::on_cpu {

enum class Epilogues { all, without_sums, without_gradients, without_auxiliary, none };
void set_epilogues(Epilogues have);
/// Products with an epilogue that ran since the last call.
int fused_products_run();

/// What make_fused_product gives, whatever is set: plain loops, or the product as it may go wrong.
enum class Fault { none, no_bias, other_gelu, nan_to_zero, bits_at_zero, bits_turned, last_sum };
FusedProductCall fused_loops(const ProductShape& shape, Fault fault = Fault::none);
/// The same product of f32 results, and nothing else.
FusedProductCall plain_loops(ProductShape shape);

}  // namespace tenon::cuda::on_cpu

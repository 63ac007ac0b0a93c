/// Products of a feed-forward block that do its activation, or the activation's gradient, on the way.
#include "backend/cuda/install.hpp"
#include "backend/cuda/product.hpp"
#include "ops/matmul_kernels.hpp"

namespace tenon::cuda {
namespace {

ProductShape shape_of(const MatmulGeometry& g) {
  ProductShape s;
  s.in = g.in, s.out = g.out;
  s.m = g.m, s.n = g.n, s.k = g.k;
  s.a_row = g.a_row, s.a_col = g.a_col, s.b_row = g.b_row, s.b_col = g.b_col;
  s.bias = g.bias, s.sums = g.sums;
  s.epilogue = g.epilogue, s.auxiliary = g.auxiliary;
  return s;
}

Kernel make_fused(const MatmulGeometry& g) {
  const ProductShape s = shape_of(g);
  const FusedProductCall call = make_fused_product(s);
  if (!call) return {};
  return [=, workspace = product_workspace(s) > 0](void* const* p) {
    FusedOperands o;
    o.a = *p++, o.b = *p++;
    if (s.bias) o.bias = *p++;
    if (is_gradient(s.epilogue)) o.auxiliary = *p++;
    o.c = *p++;
    if (s.auxiliary) o.auxiliary = *p++;
    if (s.sums) o.sums = *p++;
    if (workspace) o.workspace = *p;
    call(o);
  };
}

}  // namespace

void install_feed_forward() {
  set_fused_matmul(DeviceType::cuda, make_fused, [](const MatmulGeometry& g) { return product_workspace(shape_of(g)); });
}

}  // namespace tenon::cuda

/// The CPU kernels of cross entropy with class weights and smoothed labels: blocks of rows in parallel.
#include <algorithm>

#include "kernels/types.hpp"
#include "ops/weighted_label_loss_kernels.hpp"

#define TENON_ISA_FILE "ops/simd/weighted_label_loss.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {
namespace {

template <class A>
LabelWeights<A> weights_of(const WeightedLabelLoss& p, void* const* o) {
  LabelWeights<A> w{p.weighted ? static_cast<const A*>(o[2]) : nullptr, A(p.classes), A(1 - p.smoothing),
                    A(p.smoothing / double(p.classes))};
  if (!p.weighted) return w;
  double total = 0;
  for (std::int64_t k = 0; k < p.classes; ++k) total += double(w.of_class[k]);
  w.total = A(total);
  return w;
}

/// body(first row, rows) in parallel.
template <class Body>
void for_rows(const WeightedLabelLoss& p, const Body& body) {
  constexpr std::int64_t kElements = 16384, kBlock = 64;
  const std::int64_t rows = kElements / p.classes;
  parallel_blocks(p.rows, p.classes > kBlock ? std::max<std::int64_t>(1, rows) : rows / kBlock * kBlock,
                  [&](std::int64_t begin, std::int64_t end) { body(begin, end - begin); });
}

template <class A>
void losses(const WeightedLabelLoss& p, void* const* o) {
  const auto loop = TENON_BY_ISA(label_losses<A>);
  const LabelWeights<A> w = weights_of<A>(p, o);
  const int k = 2 + p.weighted;
  for_rows(p, [&](std::int64_t first, std::int64_t rows) {
    loop(static_cast<const A*>(o[0]) + first * p.classes, static_cast<const std::int64_t*>(o[1]) + first, rows, p.classes, w,
         static_cast<A*>(o[k]) + first, static_cast<A*>(o[k + 1]) + first);
  });
}

template <class A>
void loss_gradients(const WeightedLabelLoss& p, void* const* o) {
  const auto loop = TENON_BY_ISA(label_loss_gradients<A>);
  const LabelWeights<A> w = weights_of<A>(p, o);
  const int k = 2 + p.weighted;
  for_rows(p, [&](std::int64_t first, std::int64_t rows) {
    loop(static_cast<const A*>(o[0]) + first * p.classes, static_cast<const std::int64_t*>(o[1]) + first, rows, p.classes, w,
         static_cast<const A*>(o[k]) + first, static_cast<A*>(o[k + 1]) + first * p.classes);
  });
}

}  // namespace

KernelSlot<const WeightedLabelLoss&> weighted_label_loss_kernel("cross_entropy", [](const WeightedLabelLoss& p) -> Kernel {
  return [p](void* const* o) { (p.dtype == DType::f64 ? losses<double> : losses<float>)(p, o); };
});
KernelSlot<const WeightedLabelLoss&> weighted_label_loss_gradient_kernel(
    "cross_entropy.gradient", [](const WeightedLabelLoss& p) -> Kernel {
      return [p](void* const* o) { (p.dtype == DType::f64 ? loss_gradients<double> : loss_gradients<float>)(p, o); };
    });

}  // namespace tenon

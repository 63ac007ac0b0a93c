/// The CPU kernels of the losses that are a function of each element alone: one pass over memory, chunks in parallel, their sums added in
/// f64 in order.
#include "kernels/pointwise_loss.hpp"

#include <array>

#include "ops/dispatch.hpp"
#include "ops/pointwise_loss_kernels.hpp"

#define TENON_ISA_FILE "ops/simd/pointwise_loss.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {
namespace {

/// f(loss, a number of the type)
template <class Make>
Kernel for_loss(const PointwiseLoss& p, const Make& make) {
  const auto typed = [&](auto loss) -> Kernel { return p.dtype == DType::f64 ? make(loss, double()) : make(loss, float()); };
  switch (p.kind) {
    case PointwiseLossKind::l1:
      return typed(L1Loss{});
    case PointwiseLossKind::l2:
      return typed(L2Loss{});
    case PointwiseLossKind::huber:
      return typed(HuberLoss{});
    case PointwiseLossKind::bce:
      return typed(BceLoss{});
    case PointwiseLossKind::poisson:
      return typed(PoissonLoss{});
    case PointwiseLossKind::kl:
      return typed(KlLoss{});
    case PointwiseLossKind::gaussian:
      return typed(GaussianLoss{});
    case PointwiseLossKind::crps:
      break;
  }
  return typed(CrpsLoss{});
}

template <class F, class A>
std::array<const A*, 3> operands(void* const* o, std::int64_t at) {
  const auto one = [&](int k) { return static_cast<const A*>(o[k]) + at; };
  return {one(0), one(1), one(F::kOperands - 1)};
}

template <class F, class A>
Kernel values(const PointwiseLoss& p) {
  const auto each = TENON_BY_ISA(loss_values<F, A>);
  const auto sum = TENON_BY_ISA(loss_sum<F, A>);
  const LossParameters<A> parameters{A(p.a), A(p.b)};
  return [=](void* const* o) {
    constexpr std::int64_t kChunk = PointwiseLoss::kChunk;
    A* y = static_cast<A*>(o[F::kOperands + !p.each]);
    double* partial = static_cast<double*>(o[F::kOperands]);
    parallel_blocks(p.count, kChunk, [&](std::int64_t begin, std::int64_t end) {
      const auto in = operands<F, A>(o, begin);
      if (p.each)
        each(in.data(), end - begin, parameters, y + begin);
      else
        partial[begin / kChunk] = sum(in.data(), end - begin, parameters);
    });
    if (p.each) return;
    double total = 0;
    for (std::int64_t k = 0; k < p.chunks(); ++k) total += partial[k];
    *y = A(total * p.factor);
  };
}

template <class F, class A>
Kernel slopes(const PointwiseLoss& p) {
  using Loop = decltype(&isa_base::loss_slopes<F, 0, A>);
  std::array<Loop, 3> loops{};
  const auto choose = [&]<int K>() {
    if constexpr (K < F::kOperands) loops[K] = TENON_BY_ISA(loss_slopes<F, K, A>);
  };
  choose.template operator()<0>(), choose.template operator()<1>(), choose.template operator()<2>();
  const LossParameters<A> parameters{A(p.a), A(p.b)};
  return [=](void* const* o) {
    const A* d_loss = static_cast<const A*>(o[F::kOperands]);
    constexpr std::int64_t kRun = 1024;  // read once from memory for all gradients
    std::array<A, kRun> shared;
    if (!p.each) shared.fill(A(double(*d_loss) * p.factor));
    parallel_blocks(p.count, PointwiseLoss::kChunk, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t at = begin; at < end; at += kRun) {
        const auto in = operands<F, A>(o, at);
        int out = F::kOperands + 1;
        for (int k = 0; k < F::kOperands; ++k)
          if (p.wanted >> k & 1U)
            loops[std::size_t(k)](in.data(), std::min(kRun, end - at), parameters, p.each ? d_loss + at : shared.data(),
                                  static_cast<A*>(o[out++]) + at);
      }
    });
  };
}

}  // namespace

KernelSlot<const PointwiseLoss&> pointwise_loss_kernel("pointwise_loss", [](const PointwiseLoss& p) {
  return for_loss(p, [&](auto loss, auto number) { return values<decltype(loss), decltype(number)>(p); });
});
KernelSlot<const PointwiseLoss&> pointwise_loss_gradient_kernel("pointwise_loss.gradient", [](const PointwiseLoss& p) {
  return for_loss(p, [&](auto loss, auto number) { return slopes<decltype(loss), decltype(number)>(p); });
});

}  // namespace tenon

// Losses that are a function of each element alone, over a run of elements; see kernels/pointwise_loss.hpp for the maths.
#include "kernels/pointwise_loss.hpp"
#include "ops/simd/classes.inl"

namespace tenon::TENON_ISA {

template <class F, class A>
void loss_values(const A* const* in, std::int64_t n, LossParameters<A> p, A* __restrict y) {
  const A *__restrict x = in[0], *__restrict target = in[1], *__restrict last = in[F::kOperands - 1];
  for (std::int64_t i = 0; i < n; ++i) y[i] = F::value(x[i], target[i], last[i], p);
}

template <class F, class A>
double loss_sum(const A* const* in, std::int64_t n, LossParameters<A> p) {
  constexpr std::int64_t kRun = 512;
  A each[kRun];
  double total = 0;
  for (std::int64_t start = 0; start < n; start += kRun) {
    const std::int64_t run = n - start < kRun ? n - start : kRun;
    const A* at[3] = {in[0] + start, in[1] + start, in[F::kOperands - 1] + start};
    loss_values<F, A>(at, run, p, each);
    for (std::int64_t i = run; i < kRun; ++i) each[i] = 0;
    total += double(row_total<A>(kRun, [&](std::int64_t i) { return load<kLanes<A>>(each + i); }));
  }
  return total;
}

/// d = weight slope
template <class F, int K, class A>
void loss_slopes(const A* const* in, std::int64_t n, LossParameters<A> p, const A* __restrict weight, A* __restrict d) {
  const A *__restrict x = in[0], *__restrict target = in[1], *__restrict last = in[F::kOperands - 1];
  for (std::int64_t i = 0; i < n; ++i) d[i] = weight[i] * F::template slope<K>(x[i], target[i], last[i], p);
}

}  // namespace tenon::TENON_ISA

/// The CPU kernels of the recurrences. A task takes a block of samples through all of time, so nothing waits between steps; the
/// recurrent weights are packed once a call and stay in the cache.
#include <algorithm>

#include "backend/cpu/small_product.hpp"
#include "ops/recurrent_kernels.hpp"

#define TENON_ISA_FILE "ops/simd/recurrent.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {

using cpu::small_products;
using cpu::SmallProduct;

std::int64_t recurrent_scratch(const Recurrence& p, std::int64_t gates) {
  return cpu::packed_bound(p.hidden, gates * p.hidden) + cpu::packed_bound(gates * p.hidden, p.hidden) + gates * p.hidden * p.batch;
}

namespace {

/// Where a step of a sample stands.
struct Walk {
  const Recurrence& p;
  const std::int64_t* lengths;
  std::int64_t time(std::int64_t step) const { return p.reverse ? p.steps - 1 - step : step; }
  std::int64_t before(std::int64_t t) const { return (p.reverse ? t + 1 : t) * p.batch; }  ///< first row of the slot read
  std::int64_t after(std::int64_t t) const { return (p.reverse ? t : t + 1) * p.batch; }   ///< and of the one written
  bool past_end(std::int64_t sample, std::int64_t t) const { return lengths && t >= lengths[sample]; }
  /// Puts samples of the state before all steps into its slot.
  template <class A>
  void begin(std::int64_t first, std::int64_t n, const A* given, A* slots) const {
    std::copy_n(given + first * p.hidden, n * p.hidden, slots + (before(time(0)) + first) * p.hidden);
  }
  /// body(first sample, number of samples), in parallel.
  template <class Body>
  void blocks(const Body& body) const {
    parallel_blocks(p.batch, p.block(), [&](std::int64_t begin, std::int64_t end) { body(begin, end - begin); });
  }
};

template <class A>
void lstm(const Recurrence& p, void* const* o) {
  const std::int64_t H = p.hidden, G = 4 * H;
  const int k = 4 + p.lengths;
  const Walk walk{p, p.lengths ? static_cast<const std::int64_t*>(o[4]) : nullptr};
  const A* weight = static_cast<const A*>(o[0]);
  A *gates = static_cast<A*>(o[k]), *states = static_cast<A*>(o[k + 1]), *cells = static_cast<A*>(o[k + 2]),
    *packed = static_cast<A*>(o[k + 3]);
  const auto& product = small_products<A>();
  const auto row = TENON_BY_ISA(lstm_row<A>);
  product.pack(weight, 1, H, H, G, A(1), packed);
  walk.blocks([&](std::int64_t first, std::int64_t n) {
    walk.begin(first, n, static_cast<const A*>(o[2]), states);
    walk.begin(first, n, static_cast<const A*>(o[3]), cells);
    for (std::int64_t s = 0; s < p.steps; ++s) {
      const std::int64_t t = walk.time(s), from = (walk.before(t) + first) * H, to = (walk.after(t) + first) * H;
      A* g = gates + (t * p.batch + first) * G;
      product.run({n, G, H, H, 1, G, true}, states + from, packed, g);
      for (std::int64_t r = 0; r < n; ++r, g += G) {
        if (walk.past_end(first + r, t)) {
          std::copy_n(states + from + r * H, H, states + to + r * H);
          std::copy_n(cells + from + r * H, H, cells + to + r * H);
        } else {
          row(H, g, g + H, g + 2 * H, g + 3 * H, cells + from + r * H, cells + to + r * H, states + to + r * H);
        }
      }
    }
  });
}

template <class A>
void lstm_gradient(const Recurrence& p, void* const* o) {
  const std::int64_t H = p.hidden, G = 4 * H;
  const int k = 6 + p.lengths;
  const Walk walk{p, p.lengths ? static_cast<const std::int64_t*>(o[6]) : nullptr};
  const A *weight = static_cast<const A*>(o[0]), *cells = static_cast<const A*>(o[2]), *d_y = static_cast<const A*>(o[3]);
  const A *d_last_h = static_cast<const A*>(o[4]), *d_last_c = static_cast<const A*>(o[5]);
  A *gates = static_cast<A*>(o[k]), *d_h = static_cast<A*>(o[k + 1]), *d_c = static_cast<A*>(o[k + 2]), *packed = static_cast<A*>(o[k + 3]);
  const auto& product = small_products<A>();
  const auto row = TENON_BY_ISA(lstm_row_gradient<A>);
  product.pack(weight, H, 1, G, H, A(1), packed);
  walk.blocks([&](std::int64_t first, std::int64_t n) {
    A *dh = d_h + first * H, *dc = d_c + first * H;
    std::copy_n(d_last_h + first * H, n * H, dh);
    std::copy_n(d_last_c + first * H, n * H, dc);
    for (std::int64_t s = p.steps - 1; s >= 0; --s) {
      const std::int64_t t = walk.time(s), from = (walk.before(t) + first) * H, to = (walk.after(t) + first) * H;
      const A* dy = d_y + (t * p.batch + first) * H;
      A* block = gates + (t * p.batch + first) * G;
      bool any_past = false;
      for (std::int64_t r = 0; r < n; ++r) {
        A* g = block + r * G;
        if (walk.past_end(first + r, t)) {
          any_past = true;
          std::fill_n(g, G, A(0));
          for (std::int64_t j = 0; j < H; ++j) dh[r * H + j] += dy[r * H + j];
        } else {
          row(H, g, g + H, g + 2 * H, g + 3 * H, cells + from + r * H, cells + to + r * H, dy + r * H, dh + r * H, dc + r * H);
        }
      }
      if (!any_past) {
        product.run({n, H, G, G, 1, H, false}, block, packed, dh);
        continue;
      }
      for (std::int64_t r = 0; r < n; ++r)  // a sample past its end keeps its state's gradient
        if (!walk.past_end(first + r, t)) product.run({1, H, G, G, 1, H, false}, block + r * G, packed, dh + r * H);
    }
  });
}

template <class A>
void gru(const Recurrence& p, void* const* o) {
  const std::int64_t H = p.hidden, G = 3 * H;
  const int k = 4 + p.lengths;
  const Walk walk{p, p.lengths ? static_cast<const std::int64_t*>(o[4]) : nullptr};
  const A *weight = static_cast<const A*>(o[0]), *bias = static_cast<const A*>(o[1]);
  A *gates = static_cast<A*>(o[k]), *kept = static_cast<A*>(o[k + 1]), *states = static_cast<A*>(o[k + 2]),
    *packed = static_cast<A*>(o[k + 3]);
  const auto& product = small_products<A>();
  const auto row = TENON_BY_ISA(gru_row<A>);
  A* sums = packed + cpu::packed_bound(H, G);
  product.pack(weight, 1, H, H, G, A(1), packed);
  walk.blocks([&](std::int64_t first, std::int64_t n) {
    A* share = sums + first * G;
    walk.begin(first, n, static_cast<const A*>(o[3]), states);
    for (std::int64_t s = 0; s < p.steps; ++s) {
      const std::int64_t t = walk.time(s), from = (walk.before(t) + first) * H, to = (walk.after(t) + first) * H;
      A *g = gates + (t * p.batch + first) * G, *keep = kept + (t * p.batch + first) * H;
      for (std::int64_t r = 0; r < n; ++r) std::copy_n(bias, G, share + r * G);
      product.run({n, G, H, H, 1, G, true}, states + from, packed, share);
      for (std::int64_t r = 0; r < n; ++r, g += G) {
        const A* h = share + r * G;
        if (walk.past_end(first + r, t)) {
          std::copy_n(states + from + r * H, H, states + to + r * H);
        } else {
          row(H, g, g + H, g + 2 * H, h, h + H, h + 2 * H, states + from + r * H, keep + r * H, states + to + r * H);
        }
      }
    }
  });
}

template <class A>
void gru_gradient(const Recurrence& p, void* const* o) {
  const std::int64_t H = p.hidden, G = 3 * H;
  const int k = 6 + p.lengths;
  const Walk walk{p, p.lengths ? static_cast<const std::int64_t*>(o[6]) : nullptr};
  const A *weight = static_cast<const A*>(o[0]), *states = static_cast<const A*>(o[3]), *d_y = static_cast<const A*>(o[4]);
  const A* d_last = static_cast<const A*>(o[5]);
  A *gates = static_cast<A*>(o[k]), *kept = static_cast<A*>(o[k + 1]), *d_h = static_cast<A*>(o[k + 2]),
    *packed = static_cast<A*>(o[k + 3]);
  const auto& product = small_products<A>();
  const auto row = TENON_BY_ISA(gru_row_gradient<A>);
  A* packed_new = packed + cpu::packed_bound(2 * H, H);
  product.pack(weight, H, 1, 2 * H, H, A(1), packed);
  product.pack(weight + 2 * H * H, H, 1, H, H, A(1), packed_new);
  walk.blocks([&](std::int64_t first, std::int64_t n) {
    A* dh = d_h + first * H;
    std::copy_n(d_last + first * H, n * H, dh);
    for (std::int64_t s = p.steps - 1; s >= 0; --s) {
      const std::int64_t t = walk.time(s), from = (walk.before(t) + first) * H;
      const A* dy = d_y + (t * p.batch + first) * H;
      A *block = gates + (t * p.batch + first) * G, *keep = kept + (t * p.batch + first) * H;
      for (std::int64_t r = 0; r < n; ++r) {
        A* g = block + r * G;
        if (walk.past_end(first + r, t)) {
          std::fill_n(g, G, A(0));
          std::fill_n(keep + r * H, H, A(0));
          for (std::int64_t j = 0; j < H; ++j) dh[r * H + j] += dy[r * H + j];
        } else {
          row(H, g, g + H, g + 2 * H, keep + r * H, states + from + r * H, dy + r * H, dh + r * H);
        }
      }
      product.run({n, H, 2 * H, G, 1, H, true}, block, packed, dh);
      product.run({n, H, H, H, 1, H, true}, keep, packed_new, dh);
    }
  });
}

template <void (*F32)(const Recurrence&, void* const*), void (*F64)(const Recurrence&, void* const*)>
Kernel of_type(const Recurrence& p) {
  return [p](void* const* o) { (p.dtype == DType::f64 ? F64 : F32)(p, o); };
}

}  // namespace

KernelSlot<const Recurrence&> sequence_mask_kernel("sequence_mask", [](const Recurrence& p) -> Kernel {
  return [p](void* const* o) {
    const auto* lengths = static_cast<const std::int64_t*>(o[0]);
    auto* mask = static_cast<bool*>(o[1]);
    for (std::int64_t t = 0; t < p.steps; ++t)
      for (std::int64_t n = 0; n < p.batch; ++n) mask[t * p.batch + n] = t < lengths[n];
  };
});
KernelSlot<const Recurrence&> lstm_kernel("lstm", of_type<lstm<float>, lstm<double>>);
KernelSlot<const Recurrence&> lstm_gradient_kernel("lstm.gradient", of_type<lstm_gradient<float>, lstm_gradient<double>>);
KernelSlot<const Recurrence&> gru_kernel("gru", of_type<gru<float>, gru<double>>);
KernelSlot<const Recurrence&> gru_gradient_kernel("gru.gradient", of_type<gru_gradient<float>, gru_gradient<double>>);

}  // namespace tenon

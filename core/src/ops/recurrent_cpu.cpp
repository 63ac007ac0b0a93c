/// The CPU kernels of the recurrences: samples are cut among threads, or where they are few the units of each step. The recurrent weights
/// are packed once a call and stay in the cache.
#include <algorithm>

#include "backend/cpu/small_product.hpp"
#include "ops/recurrent_kernels.hpp"
#include "tenon/device.hpp"

#define TENON_ISA_FILE "ops/simd/recurrent.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {

using cpu::small_products;
using cpu::SmallProduct;

std::int64_t recurrent_scratch(const Recurrence& p, std::int64_t gates) {
  return cpu::packed_bound(p.hidden, gates * p.hidden) + cpu::packed_bound(gates * p.hidden, p.hidden) + gates * p.hidden * p.batch;
}

namespace {

/// These units of these samples.
struct Share {
  std::int64_t first, n;
  std::int64_t unit, units;
};

/// Where a step of a sample stands, and who takes it.
struct Walk {
  const Recurrence& p;
  const std::int64_t* lengths;
  std::int64_t time(std::int64_t step) const { return p.reverse ? p.steps - 1 - step : step; }
  std::int64_t before(std::int64_t t) const { return (p.reverse ? t + 1 : t) * p.batch; }  ///< first row of the slot read
  std::int64_t after(std::int64_t t) const { return (p.reverse ? t : t + 1) * p.batch; }   ///< and of the one written
  bool past_end(std::int64_t sample, std::int64_t t) const { return lengths && t >= lengths[sample]; }
  /// Puts samples of the state before all steps into its slot.
  template <class A>
  void begin(const Share& s, const A* given, A* slots) const {
    std::copy_n(given + s.first * p.hidden, s.n * p.hidden, slots + (before(time(0)) + s.first) * p.hidden);
  }

  /// begin(share) of all units of some samples, then for each time, forwards or back, phase(time, share) for each phase in turn: it may
  /// read what the phase before made of any unit of its samples. `panel`: the columns of packed weights that lie together.
  ///
  /// A task takes samples through all of time, so that nothing waits between steps. Samples that are fewer than the threads, of wide
  /// states, are taken step by step, each cut by units: no sum depends on who computes it.
  template <class Begin, class... Phases>
  void run(bool back, std::int64_t panel, const Begin& begin, const Phases&... phases) const {
    auto each_time = [&](auto&& body) {
      for (std::int64_t s = 0; s < p.steps; ++s) body(time(back ? p.steps - 1 - s : s));
    };
    if (!by_units(panel)) {
      parallel_blocks(p.batch, p.block(), [&](std::int64_t from, std::int64_t to) {
        const Share all{from, to - from, 0, p.hidden};
        begin(all);
        each_time([&](std::int64_t t) { (phases(t, all), ...); });
      });
      return;
    }
    const std::int64_t parts = 2 * thread_count(), width = (p.hidden / panel + parts - 1) / parts * panel;
    auto each_share = [&](const auto& body) {
      parallel_blocks(p.hidden, width, [&](std::int64_t from, std::int64_t to) { body(Share{0, p.batch, from, to - from}); });
    };
    begin({0, p.batch, 0, p.hidden});
    each_time([&](std::int64_t t) { (each_share([&](const Share& s) { phases(t, s); }), ...); });
  }

 private:
  bool by_units(std::int64_t panel) const {
    constexpr std::int64_t kEnough = 1 << 16;  // weights of a gate: tens of microseconds a step
    return (p.batch + p.block() - 1) / p.block() < thread_count() && p.hidden % panel == 0 && p.hidden * p.hidden >= kEnough;
  }
};

/// b [depth, columns], by strides, in panels.
template <class A>
void pack(const A* b, std::int64_t b_depth, std::int64_t b_column, std::int64_t depth, std::int64_t columns, A* to) {
  const auto& product = small_products<A>();
  parallel_blocks(columns, 8 * product.panel, [&](std::int64_t from, std::int64_t end) {
    product.pack(b + from * b_column, b_depth, b_column, depth, end - from, A(1), to + from * depth);
  });
}

/// gates [n, G H] += states [n, H] w_hh^T, of the share's units; `packed` has all columns.
template <class A>
void add_states(const Share& s, std::int64_t gates, std::int64_t H, const A* states, const A* packed, A* to) {
  const auto& product = small_products<A>();
  if (s.units == H) {
    product.run({s.n, gates * H, H, H, 1, gates * H, true}, states, packed, to);
    return;
  }
  for (std::int64_t column = s.unit; column < gates * H; column += H)
    product.run({s.n, s.units, H, H, 1, gates * H, true}, states, packed + column * H, to + column);
}

template <class A>
void lstm(const Recurrence& p, void* const* o) {
  const std::int64_t H = p.hidden, G = 4 * H;
  const int k = 4 + p.lengths;
  const Walk walk{p, p.lengths ? static_cast<const std::int64_t*>(o[4]) : nullptr};
  const A *weight = static_cast<const A*>(o[0]), *h_0 = static_cast<const A*>(o[2]), *c_0 = static_cast<const A*>(o[3]);
  A *gates = static_cast<A*>(o[k]), *states = static_cast<A*>(o[k + 1]), *cells = static_cast<A*>(o[k + 2]),
    *packed = static_cast<A*>(o[k + 3]);
  const auto& product = small_products<A>();
  const auto row = TENON_BY_ISA(lstm_row<A>);
  pack(weight, 1, H, H, G, packed);
  walk.run(
      false, product.panel,
      [&](const Share& s) {
        walk.begin(s, h_0, states);
        walk.begin(s, c_0, cells);
      },
      [&](std::int64_t t, const Share& s) {
        const std::int64_t from = (walk.before(t) + s.first) * H, to = (walk.after(t) + s.first) * H;
        A* g = gates + (t * p.batch + s.first) * G;
        add_states(s, 4, H, states + from, packed, g);
        for (std::int64_t r = 0; r < s.n; ++r) {
          const std::int64_t u = r * H + s.unit;
          if (walk.past_end(s.first + r, t)) {
            std::copy_n(states + from + u, s.units, states + to + u);
            std::copy_n(cells + from + u, s.units, cells + to + u);
          } else {
            A* gr = g + r * G + s.unit;
            row(s.units, gr, gr + H, gr + 2 * H, gr + 3 * H, cells + from + u, cells + to + u, states + to + u);
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
  pack(weight, H, 1, G, H, packed);
  walk.run(
      true, product.panel,
      [&](const Share& s) {
        std::copy_n(d_last_h + s.first * H, s.n * H, d_h + s.first * H);
        std::copy_n(d_last_c + s.first * H, s.n * H, d_c + s.first * H);
      },
      [&](std::int64_t t, const Share& s) {
        const std::int64_t from = (walk.before(t) + s.first) * H, to = (walk.after(t) + s.first) * H;
        const A* dy = d_y + (t * p.batch + s.first) * H;
        A *dh = d_h + s.first * H, *dc = d_c + s.first * H;
        for (std::int64_t r = 0; r < s.n; ++r) {
          A* g = gates + (t * p.batch + s.first + r) * G + s.unit;
          const std::int64_t u = r * H + s.unit;
          if (walk.past_end(s.first + r, t)) {
            for (std::int64_t gate = 0; gate < 4; ++gate) std::fill_n(g + gate * H, s.units, A(0));
            for (std::int64_t j = u; j < u + s.units; ++j) dh[j] += dy[j];
          } else {
            row(s.units, g, g + H, g + 2 * H, g + 3 * H, cells + from + u, cells + to + u, dy + u, dh + u, dc + u);
          }
        }
      },
      [&](std::int64_t t, const Share& s) {
        const A *block = gates + (t * p.batch + s.first) * G, *columns = packed + s.unit * G;
        A* dh = d_h + s.first * H + s.unit;
        for (std::int64_t r = 0; r < s.n; ++r) {  // a sample past its end keeps its state's gradient; neighbours before theirs go together
          const std::int64_t begin = r;
          while (r < s.n && !walk.past_end(s.first + r, t)) ++r;
          if (r > begin) product.run({r - begin, s.units, G, G, 1, H, false}, block + begin * G, columns, dh + begin * H);
        }
      });
}

template <class A>
void gru(const Recurrence& p, void* const* o) {
  const std::int64_t H = p.hidden, G = 3 * H;
  const int k = 4 + p.lengths;
  const Walk walk{p, p.lengths ? static_cast<const std::int64_t*>(o[4]) : nullptr};
  const A *weight = static_cast<const A*>(o[0]), *bias = static_cast<const A*>(o[1]), *h_0 = static_cast<const A*>(o[3]);
  A *gates = static_cast<A*>(o[k]), *kept = static_cast<A*>(o[k + 1]), *states = static_cast<A*>(o[k + 2]),
    *packed = static_cast<A*>(o[k + 3]);
  const auto& product = small_products<A>();
  const auto row = TENON_BY_ISA(gru_row<A>);
  A* sums = packed + cpu::packed_bound(H, G);
  pack(weight, 1, H, H, G, packed);
  walk.run(
      false, product.panel, [&](const Share& s) { walk.begin(s, h_0, states); },
      [&](std::int64_t t, const Share& s) {
        const std::int64_t from = (walk.before(t) + s.first) * H, to = (walk.after(t) + s.first) * H;
        A *g = gates + (t * p.batch + s.first) * G, *keep = kept + (t * p.batch + s.first) * H, *share = sums + s.first * G;
        for (std::int64_t r = 0; r < s.n; ++r)
          for (std::int64_t column = s.unit; column < G; column += H) std::copy_n(bias + column, s.units, share + r * G + column);
        add_states(s, 3, H, states + from, packed, share);
        for (std::int64_t r = 0; r < s.n; ++r) {
          const std::int64_t u = r * H + s.unit;
          if (walk.past_end(s.first + r, t)) {
            std::copy_n(states + from + u, s.units, states + to + u);
          } else {
            const A* h = share + r * G + s.unit;
            A* gr = g + r * G + s.unit;
            row(s.units, gr, gr + H, gr + 2 * H, h, h + H, h + 2 * H, states + from + u, keep + u, states + to + u);
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
  pack(weight, H, 1, 2 * H, H, packed);
  pack(weight + 2 * H * H, H, 1, H, H, packed_new);
  walk.run(
      true, product.panel, [&](const Share& s) { std::copy_n(d_last + s.first * H, s.n * H, d_h + s.first * H); },
      [&](std::int64_t t, const Share& s) {
        const std::int64_t from = (walk.before(t) + s.first) * H;
        const A* dy = d_y + (t * p.batch + s.first) * H;
        A *dh = d_h + s.first * H, *keep = kept + (t * p.batch + s.first) * H;
        for (std::int64_t r = 0; r < s.n; ++r) {
          A* g = gates + (t * p.batch + s.first + r) * G + s.unit;
          const std::int64_t u = r * H + s.unit;
          if (walk.past_end(s.first + r, t)) {
            for (std::int64_t gate = 0; gate < 3; ++gate) std::fill_n(g + gate * H, s.units, A(0));
            std::fill_n(keep + u, s.units, A(0));
            for (std::int64_t j = u; j < u + s.units; ++j) dh[j] += dy[j];
          } else {
            row(s.units, g, g + H, g + 2 * H, keep + u, states + from + u, dy + u, dh + u);
          }
        }
      },
      [&](std::int64_t t, const Share& s) {
        const std::int64_t at = t * p.batch + s.first;
        A* dh = d_h + s.first * H + s.unit;
        product.run({s.n, s.units, 2 * H, G, 1, H, true}, gates + at * G, packed + s.unit * 2 * H, dh);
        product.run({s.n, s.units, H, H, 1, H, true}, kept + at * H, packed_new + s.unit * H, dh);
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

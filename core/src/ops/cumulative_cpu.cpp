/// The CPU kernels of the cumulative ops. Columns are independent; a line that is alone is cut into runs of fixed length, whose totals are
/// joined in order.
#include <algorithm>
#include <vector>

#include "kernels/running.hpp"
#include "ops/cumulative_kernels.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kRun = 1 << 14;    ///< elements of a run along a line
constexpr std::int64_t kColumns = 64;     ///< neighbouring columns that go together
constexpr std::int64_t kGrain = 1 << 14;  ///< elements a task, about

/// Column block c of outer position o: `start` is its first element in the order of the scan, `step` leads to the next.
struct Columns {
  std::int64_t start, step, width;
};

/// body(columns) for all columns, in parallel.
template <class F>
void for_columns(const RunningShape& p, std::int64_t most, const F& body) {
  const AxisSplit& s = p.at;
  const std::int64_t blocks = (s.inner + most - 1) / most;
  const std::int64_t grain = std::max<std::int64_t>(1, kGrain / (s.n * std::min(s.inner, most)));
  parallel_blocks(s.outer * blocks, grain, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t outer = begin / blocks * s.n * s.inner + (p.reverse ? (s.n - 1) * s.inner : 0), column = begin % blocks * most;
    for (std::int64_t task = begin; task < end; ++task) {
      body(Columns{outer + column, p.reverse ? -s.inner : s.inner, std::min(most, s.inner - column)});
      column += most;
      if (column < s.inner) continue;
      column = 0;
      outer += s.n * s.inner;
    }
  });
}

/// A run of one line from a given state; returns the state behind it.
template <class T, class State>
State scan_line(State state, const T* x, T* y, std::int64_t step, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    state.add(x[i * step]);
    y[i * step] = state.value();
  }
  return state;
}

/// Sums four at a time, so that each waits for one addition and not for four.
template <class T>
RunningSum<T> scan_line(RunningSum<T> state, const T* x, T* y, std::int64_t step, std::int64_t n) {
  using A = RunningAcc<T>;
  A total = state.total;
  for (; n >= 4; n -= 4, x += 4 * step, y += 4 * step) {
    const A a = A(x[0]), ab = a + A(x[step]), c = A(x[2 * step]), cd = c + A(x[3 * step]);
    y[0] = T(total + a);
    y[step] = T(total + ab);
    y[2 * step] = T(total + (ab + c));
    total += ab + cd;
    y[3 * step] = T(total);
  }
  state.total = total;
  return scan_line<T, RunningSum<T>>(state, x, y, step, n);
}

template <class T, class State>
State total_of(const T* x, std::int64_t step, std::int64_t n) {
  State lanes[8];
  std::int64_t i = 0;
  const std::int64_t eighth = n / 8;  // eight pieces at once, joined in order
  for (; i < eighth; ++i)
    for (std::int64_t k = 0; k < 8; ++k) lanes[k].add(x[(k * eighth + i) * step]);
  for (std::int64_t k = 1; k < 8; ++k) lanes[0].join(lanes[k]);
  for (i = 8 * eighth; i < n; ++i) lanes[0].add(x[i * step]);
  return lanes[0];
}

template <class T, class State>
void scan_columns(const T* x, T* y, const Columns& c, std::int64_t n) {
  State states[kColumns];
  for (std::int64_t k = 0; k < n; ++k, x += c.step, y += c.step)
    for (std::int64_t i = 0; i < c.width; ++i) {
      states[i].add(x[i]);
      y[i] = states[i].value();
    }
}

template <class T, class State>
Kernel make_scan(const RunningShape& p) {
  return [p](void* const* o) {
    const T* x = static_cast<const T*>(o[0]);
    T* y = static_cast<T*>(o[1]);
    const AxisSplit& s = p.at;
    if (s.outer * s.inner == 1 && s.n >= 2 * kRun) {  // a single line
      const std::int64_t runs = (s.n + kRun - 1) / kRun, step = p.reverse ? -1 : 1, first = p.reverse ? s.n - 1 : 0;
      std::vector<State> states(static_cast<std::size_t>(runs));
      auto run_length = [&](std::int64_t r) { return std::min(kRun, s.n - r * kRun); };
      parallel_for(runs - 1, [&](std::int64_t r) {
        states[std::size_t(r + 1)] = total_of<T, State>(x + first + r * kRun * step, step, run_length(r));
      });
      for (std::size_t r = 1; r < states.size(); ++r) {
        State before = states[r - 1];
        before.join(states[r]);
        states[r] = before;
      }
      parallel_for(runs, [&](std::int64_t r) {
        const std::int64_t at = first + r * kRun * step;
        scan_line(states[std::size_t(r)], x + at, y + at, step, run_length(r));
      });
      return;
    }
    for_columns(p, kColumns, [&](const Columns& c) {
      if (s.inner == 1 && c.step == 1)
        scan_line(State{}, x + c.start, y + c.start, 1, s.n);
      else if (c.width == 1)
        scan_line(State{}, x + c.start, y + c.start, c.step, s.n);
      else
        scan_columns<T, State>(x + c.start, y + c.start, c, s.n);
    });
  };
}

template <class T, bool Max>
Kernel make_extreme(const RunningShape& p) {
  return [p](void* const* o) {
    const T* x = static_cast<const T*>(o[0]);
    T* values = static_cast<T*>(o[1]);
    auto* positions = static_cast<std::int64_t*>(o[2]);
    auto better = [](T v, T best) { return (Max ? v > best : v < best) || (v != v && best == best); };
    for_columns(p, kColumns, [&](const Columns& c) {
      if (c.width == 1) {
        T best = x[c.start];
        std::int64_t at = 0;
        for (std::int64_t k = 0, e = c.start; k < p.at.n; ++k, e += c.step) {
          if (better(x[e], best)) {  // seldom, and ever more so
            best = x[e];
            at = k;
          }
          values[e] = best;
          positions[e] = at;
        }
        return;
      }
      T best[kColumns];
      std::int64_t at[kColumns] = {};
      std::copy(x + c.start, x + c.start + c.width, best);
      for (std::int64_t k = 0; k < p.at.n; ++k)
        for (std::int64_t i = 0; i < c.width; ++i) {
          const T v = x[c.start + k * c.step + i];
          const bool take = better(v, best[i]);
          best[i] = take ? v : best[i];
          at[i] = take ? k : at[i];
          values[c.start + k * c.step + i] = best[i];
          positions[c.start + k * c.step + i] = at[i];
        }
    });
  };
}

template <class T>
Kernel make_recurrence(const RunningShape& p) {
  return [p](void* const* o) {
    const T *a = static_cast<const T*>(o[0]), *b = static_cast<const T*>(o[1]);
    T* h = static_cast<T*>(o[2]);
    for_columns(p, kColumns, [&](const Columns& c) {
      double state[kColumns] = {};
      for (std::int64_t k = 0, at = c.start; k < p.at.n; ++k, at += c.step)
        for (std::int64_t i = 0; i < c.width; ++i) {
          state[i] = double(a[at + i]) * state[i] + double(b[at + i]);
          h[at + i] = T(state[i]);
        }
    });
  };
}

template <template <class> class State>
Kernel scan_of(const RunningShape& p) {
  return p.dtype == DType::f64   ? make_scan<double, State<double>>(p)
         : p.dtype == DType::i64 ? make_scan<std::int64_t, State<std::int64_t>>(p)
                                 : make_scan<float, State<float>>(p);
}

template <bool Max>
Kernel extreme_of(const RunningShape& p) {
  return p.dtype == DType::f64   ? make_extreme<double, Max>(p)
         : p.dtype == DType::i64 ? make_extreme<std::int64_t, Max>(p)
                                 : make_extreme<float, Max>(p);
}

Kernel make_running(Running which, const RunningShape& p) {
  switch (which) {
    case Running::sum:
      return scan_of<RunningSum>(p);
    case Running::product:
      return scan_of<RunningProduct>(p);
    case Running::maximum:
      return extreme_of<true>(p);
    case Running::minimum:
      return extreme_of<false>(p);
    default:
      return p.dtype == DType::f64 ? make_scan<double, RunningLogSumExp<double>>(p) : make_scan<float, RunningLogSumExp<float>>(p);
  }
}

}  // namespace

KernelSlot<Running, const RunningShape&> running_kernel("cumsum", make_running);
KernelSlot<const RunningShape&> recurrence_kernel("linear_recurrence", [](const RunningShape& p) -> Kernel {
  return p.dtype == DType::f64 ? make_recurrence<double>(p) : make_recurrence<float>(p);
});

}  // namespace tenon

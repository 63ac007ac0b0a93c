/// The recurrences on CUDA. Where the recurrent weights fit on a multiprocessor, one kernel does all steps (recurrent_sequence.hpp); else a
/// step is a product with them and one kernel for the gates.
#include "backend/cuda/install.hpp"
#include "backend/cuda/launch.cuh"
#include "backend/cuda/product.hpp"
#include "kernels/recurrent.hpp"
#include "ops/recurrent_kernels.hpp"
#include "ops/recurrent_sequence.hpp"

namespace tenon::cuda {
namespace {

/// What a step's kernel needs to know: hidden units lie along x of the grid, samples along y.
struct Step {
  std::int64_t batch, hidden, time;
  const std::int64_t* lengths;  ///< null: all samples last to the end
  __device__ bool past_end(std::int64_t sample) const { return lengths && time >= lengths[sample]; }
};

/// body(sample, unit, sample * hidden + unit) for this thread's share.
template <class Body>
__device__ void each_unit(const Step& s, const Body& body) {
  const std::int64_t unit = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (unit >= s.hidden) return;
  for (std::int64_t sample = blockIdx.y; sample < s.batch; sample += gridDim.y) body(sample, unit, sample * s.hidden + unit);
}

/// gates, before and after: of this step.
template <class A>
__global__ void lstm_step(Step s, A* gates, const A* states, const A* cells, A* new_states, A* new_cells) {
  each_unit(s, [&](std::int64_t sample, std::int64_t unit, std::int64_t at) {
    if (s.past_end(sample)) {
      new_states[at] = states[at];
      new_cells[at] = cells[at];
      return;
    }
    A* g = gates + sample * 4 * s.hidden + unit;
    lstm_unit<A>(g, g + s.hidden, g + 2 * s.hidden, g + 3 * s.hidden, cells + at, new_cells + at, new_states + at);
  });
}

/// The product that follows adds to d_h: it starts from 0 where the step happened, from what there is past a sample's end.
template <class A>
__global__ void lstm_step_gradient(Step s, A* gates, const A* cells, const A* new_cells, const A* d_y, A* d_h, A* d_c) {
  each_unit(s, [&](std::int64_t sample, std::int64_t unit, std::int64_t at) {
    A* g = gates + sample * 4 * s.hidden + unit;
    if (s.past_end(sample)) {
      for (int i = 0; i < 4; ++i) g[i * s.hidden] = A(0);
      d_h[at] += d_y[at];
      return;
    }
    lstm_unit_gradient<A>(g, g + s.hidden, g + 2 * s.hidden, g + 3 * s.hidden, cells + at, new_cells + at, d_y + at, d_h + at, d_c + at);
    d_h[at] = A(0);
  });
}

/// share: the state's product with the weights, [N, 3 H].
template <class A>
__global__ void gru_step(Step s, const A* share, const A* bias, A* gates, A* kept, const A* states, A* new_states) {
  each_unit(s, [&](std::int64_t sample, std::int64_t unit, std::int64_t at) {
    if (s.past_end(sample)) {
      new_states[at] = states[at];
      return;
    }
    const std::int64_t H = s.hidden, row = sample * 3 * H + unit;
    A* g = gates + row;
    const A *h = share + row, *b = bias + unit;
    const A hr = h[0] + b[0], hz = h[H] + b[H], hn = h[2 * H] + b[2 * H];
    gru_unit<A>(g, g + H, g + 2 * H, &hr, &hz, &hn, states + at, kept + at, new_states + at);
  });
}

/// share gets what the product multiplies: the gradients of reset and update, and that of the new gate's hidden share.
template <class A>
__global__ void gru_step_gradient(Step s, A* gates, A* kept, const A* states, const A* d_y, A* d_h, A* share) {
  each_unit(s, [&](std::int64_t sample, std::int64_t unit, std::int64_t at) {
    const std::int64_t H = s.hidden, row = sample * 3 * H + unit;
    A *g = gates + row, *to = share + row;
    if (s.past_end(sample)) {
      for (int i = 0; i < 3; ++i) g[i * H] = to[i * H] = A(0);
      kept[at] = A(0);
      d_h[at] += d_y[at];
      return;
    }
    gru_unit_gradient<A>(g, g + H, g + 2 * H, kept + at, states + at, d_y + at, d_h + at);
    to[0] = g[0], to[H] = g[H], to[2 * H] = kept[at];
  });
}

template <class A>
__global__ void copy_items(const A* from, A* to, std::int64_t count) {
  const std::int64_t step = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) to[i] = from[i];
}

__global__ void mask_steps(const std::int64_t* lengths, bool* mask, std::int64_t count, std::int64_t batch) {
  const std::int64_t step = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) mask[i] = i / batch < lengths[i % batch];
}

/// Where a step stands, and how its kernel is started.
struct Walk {
  Recurrence p;
  const std::int64_t* lengths;
  std::int64_t units() const { return p.batch * p.hidden; }
  std::int64_t time(std::int64_t step) const { return p.reverse ? p.steps - 1 - step : step; }
  std::int64_t before(std::int64_t t) const { return (p.reverse ? t + 1 : t) * units(); }  ///< the slot read
  std::int64_t after(std::int64_t t) const { return (p.reverse ? t : t + 1) * units(); }   ///< and the one written
  template <class... P, class... B>
  void step(const char* name, std::int64_t t, void (*kernel)(Step, P...), B... args) const {
    const unsigned threads = p.hidden >= 128 ? 128u : unsigned((p.hidden + 31) / 32 * 32);
    const dim3 blocks(unsigned((p.hidden + threads - 1) / threads), unsigned(p.batch < 65535 ? p.batch : 65535));
    start(name, blocks, dim3(threads), 0, kernel, Step{p.batch, p.hidden, t, lengths}, args...);
  }
  template <class A>
  void copy(const void* from, A* to) const {
    start_items("copy_items", units(), copy_items<A>, static_cast<const A*>(from), to, units());
  }
};

/// [N, H] times the weights [G H, H] turned: (+)= [N, G H].
ProductCall forward_product(const Recurrence& p, std::int64_t gates, bool add) {
  ProductShape s;
  s.in = s.out = p.dtype;
  s.m = p.batch, s.n = gates * p.hidden, s.k = p.hidden;
  s.a_row = p.hidden, s.a_col = 1;
  s.b_row = p.hidden == 1 ? s.n : 1, s.b_col = p.hidden;
  s.add = add;
  return make_product(s);
}

/// [N, G H] times the weights: += [N, H].
ProductCall backward_product(const Recurrence& p, std::int64_t gates) {
  ProductShape s;
  s.in = s.out = p.dtype;
  s.m = p.batch, s.n = p.hidden, s.k = gates * p.hidden;
  s.a_row = s.k, s.a_col = 1;
  s.b_row = p.hidden, s.b_col = 1;
  s.add = true;
  return make_product(s);
}

template <class A>
const A* read(void* const* o, int i) {
  return static_cast<const A*>(o[i]);
}
template <class A>
A* write(void* const* o, int i) {
  return static_cast<A*>(o[i]);
}

template <class A>
Kernel lstm_of(const Recurrence& p) {
  return [p, product = forward_product(p, 4, true)](void* const* o) {
    const int k = 4 + p.lengths;
    const Walk walk{p, p.lengths ? read<std::int64_t>(o, 4) : nullptr};
    A *gates = write<A>(o, k), *states = write<A>(o, k + 1), *cells = write<A>(o, k + 2);
    walk.copy(o[2], states + walk.before(walk.time(0)));
    walk.copy(o[3], cells + walk.before(walk.time(0)));
    for (std::int64_t s = 0; s < p.steps; ++s) {
      const std::int64_t t = walk.time(s), from = walk.before(t), to = walk.after(t);
      A* g = gates + t * 4 * walk.units();
      product(states + from, o[0], nullptr, g, nullptr);
      walk.step("lstm_step", t, lstm_step<A>, g, states + from, cells + from, states + to, cells + to);
    }
  };
}

template <class A>
Kernel lstm_gradient_of(const Recurrence& p) {
  return [p, product = backward_product(p, 4)](void* const* o) {
    const int k = 6 + p.lengths;
    const Walk walk{p, p.lengths ? read<std::int64_t>(o, 6) : nullptr};
    const A *cells = read<A>(o, 2), *d_y = read<A>(o, 3);
    A *gates = write<A>(o, k), *d_h = write<A>(o, k + 1), *d_c = write<A>(o, k + 2);
    walk.copy(o[4], d_h);
    walk.copy(o[5], d_c);
    for (std::int64_t s = p.steps - 1; s >= 0; --s) {
      const std::int64_t t = walk.time(s);
      A* g = gates + t * 4 * walk.units();
      walk.step("lstm_step_gradient", t, lstm_step_gradient<A>, g, cells + walk.before(t), cells + walk.after(t), d_y + t * walk.units(),
                d_h, d_c);
      product(g, o[0], nullptr, d_h, nullptr);
    }
  };
}

template <class A>
Kernel gru_of(const Recurrence& p) {
  return [p, product = forward_product(p, 3, false)](void* const* o) {
    const int k = 4 + p.lengths;
    const Walk walk{p, p.lengths ? read<std::int64_t>(o, 4) : nullptr};
    A *gates = write<A>(o, k), *kept = write<A>(o, k + 1), *states = write<A>(o, k + 2), *share = write<A>(o, k + 3);
    walk.copy(o[3], states + walk.before(walk.time(0)));
    for (std::int64_t s = 0; s < p.steps; ++s) {
      const std::int64_t t = walk.time(s), from = walk.before(t);
      product(states + from, o[0], nullptr, share, nullptr);
      walk.step("gru_step", t, gru_step<A>, share, read<A>(o, 1), gates + t * 3 * walk.units(), kept + t * walk.units(), states + from,
                states + walk.after(t));
    }
  };
}

template <class A>
Kernel gru_gradient_of(const Recurrence& p) {
  return [p, product = backward_product(p, 3)](void* const* o) {
    const int k = 6 + p.lengths;
    const Walk walk{p, p.lengths ? read<std::int64_t>(o, 6) : nullptr};
    const A *states = read<A>(o, 3), *d_y = read<A>(o, 4);
    A *gates = write<A>(o, k), *kept = write<A>(o, k + 1), *d_h = write<A>(o, k + 2), *share = write<A>(o, k + 3);
    walk.copy(o[5], d_h);
    for (std::int64_t s = p.steps - 1; s >= 0; --s) {
      const std::int64_t t = walk.time(s);
      walk.step("gru_step_gradient", t, gru_step_gradient<A>, gates + t * 3 * walk.units(), kept + t * walk.units(),
                states + walk.before(t), d_y + t * walk.units(), d_h, share);
      product(share, o[0], nullptr, d_h, nullptr);
    }
  };
}

/// Whole: all steps in one kernel, or none.
template <Kernel (*Whole)(const Recurrence&), Kernel (*F32)(const Recurrence&), Kernel (*F64)(const Recurrence&)>
Kernel of_type(const Recurrence& p) {
  if (Kernel kernel = Whole(p)) return kernel;
  return p.dtype == DType::f64 ? F64(p) : F32(p);
}

Kernel make_mask(const Recurrence& p) {
  return [count = p.steps * p.batch, batch = p.batch](void* const* o) {
    start_items("mask_steps", count, mask_steps, read<std::int64_t>(o, 0), write<bool>(o, 1), count, batch);
  };
}

}  // namespace

void install_recurrent() {
  lstm_kernel.set(DeviceType::cuda, of_type<lstm_sequence, lstm_of<float>, lstm_of<double>>);
  lstm_gradient_kernel.set(DeviceType::cuda, of_type<lstm_sequence_gradient, lstm_gradient_of<float>, lstm_gradient_of<double>>);
  gru_kernel.set(DeviceType::cuda, of_type<gru_sequence, gru_of<float>, gru_of<double>>);
  gru_gradient_kernel.set(DeviceType::cuda, of_type<gru_sequence_gradient, gru_gradient_of<float>, gru_gradient_of<double>>);
  sequence_mask_kernel.set(DeviceType::cuda, make_mask);
}

}  // namespace tenon::cuda

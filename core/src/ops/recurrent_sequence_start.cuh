/// Starting the kernels of recurrent_sequence.cuh (private).
#pragma once

#include <limits>

#include "backend/cuda/device_attribute.cuh"
#include "ops/recurrent_kernels.hpp"
#include "ops/recurrent_sequence.cuh"

namespace tenon::cuda::sequence {

/// How a recurrence is laid out on a device; no blocks: it does not fit.
struct Layout {
  int samples = 1, near = 0, chunks = 0;
  unsigned threads = 0, blocks = 0;
  std::size_t bytes = 0;
};

/// Chunks of weights in registers: all of a small state's, else what 128 registers hold beside a block's sums; f64 has all in shared
/// memory.
constexpr int near_chunks(bool wide, int gates, int samples, int chunks) {
  if (wide) return 0;
  if (chunks <= 2) return 2;
  if (gates == 4 && samples > 1) return 3;
  if (chunks <= 4) return 4;
  return samples > 1 || gates == 4 ? 5 : 7;
}

inline Layout layout(const Recurrence& p, int gates, bool back) {
  Layout l;
  if (p.hidden > kMostHidden || p.steps > std::numeric_limits<int>::max()) return l;
  const bool wide = p.dtype == DType::f64;
  l.threads = unsigned((p.hidden + 7) / 8 * 8 * kLanes);
  // one sample a block for as long as that keeps all of them at work at once: a step then takes least
  const std::int64_t room = std::int64_t(device_attribute(cudaDevAttrMultiProcessorCount)) * (wide ? 1 : kMostThreads / l.threads);
  l.samples = p.batch <= room ? 1 : p.batch <= 2 * room ? 2 : 4;
  const int filled = int((p.hidden + kChunk - 1) / kChunk);
  l.near = near_chunks(wide, gates, l.samples, filled);
  l.chunks = filled > l.near ? filled : l.near;
  const std::size_t quad = wide ? sizeof(Quad<double>) : sizeof(Quad<float>);
  l.bytes = quad * (2 * std::size_t(l.samples * l.chunks * product_lanes(back)) +
                    std::size_t(l.chunks - l.near) * std::size_t(gates) * (wide ? l.threads : kMostThreads));
  if (l.bytes > std::size_t(device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin))) return l;
  l.blocks = unsigned((p.batch + l.samples - 1) / l.samples);
  return l;
}

/// Op::kernel<A, S, R>() for this layout. `Op` also tells its gates and whether it goes backward.
template <class Op, class A, int S>
auto kernel_of(int near) {
  if constexpr (std::is_same_v<A, double>) {
    return Op::template kernel<A, S, 0>();
  } else {
    constexpr int kMiddle = near_chunks(false, Op::kGates, S, 4), kMost = near_chunks(false, Op::kGates, S, kMostHidden / kChunk);
    if (near == kMost) return Op::template kernel<A, S, kMost>();
    return near == kMiddle ? Op::template kernel<A, S, kMiddle>() : Op::template kernel<A, S, 2>();
  }
}

/// call(start), where start(run's lengths, weights, the kernel's other arguments...) starts it; none where it does not fit.
template <class Op, class A, class Call>
Kernel sequence_of(const Recurrence& p, const Call& call) {
  const Layout l = layout(p, Op::kGates, Op::kBack);
  if (!l.blocks) return {};
  const auto kernel = l.samples == 1   ? kernel_of<Op, A, 1>(l.near)
                      : l.samples == 2 ? kernel_of<Op, A, 2>(l.near)
                                       : kernel_of<Op, A, 4>(l.near);
  return [=](void* const* o) {
    call(p, o, [&](const void* lengths, const void* weights, auto... rest) {
      const bool aligned = p.hidden % 4 == 0 && reinterpret_cast<std::uintptr_t>(weights) % alignof(Quad<A>) == 0;
      const Run run{p.batch, int(p.steps), int(p.hidden), l.chunks, p.reverse, aligned, static_cast<const std::int64_t*>(lengths)};
      start(Op::kName, dim3(l.blocks), dim3(l.threads), l.bytes, kernel, run, static_cast<const A*>(weights), rest...);
    });
  };
}

template <class A>
const A* read(void* const* o, int i) {
  return static_cast<const A*>(o[i]);
}
template <class A>
A* write(void* const* o, int i) {
  return static_cast<A*>(o[i]);
}

}  // namespace tenon::cuda::sequence

/// Elementwise loops: dense runs in accesses of up to 16 bytes and more a thread, operands that are constant along the innermost axis
/// loaded once, everything else element by element; indices in 32 bits (private).
///
/// A Body has `pack(offsets, steps)` for V elements in a row and `one(offsets)` for a single one; offsets are in elements.
#pragma once

#include <vector>

#include "backend/cuda/divider.cuh"
#include "backend/cuda/lanes.cuh"
#include "backend/cuda/launch.cuh"
#include "ops/strided_axes.hpp"

namespace tenon::cuda {

/// Of one element, in each of N operands.
template <int N> struct Offsets {
  std::int64_t of[N];
};

/// A part of the elements, fewer than 2^31, as a kernel argument.
template <int N>
struct Walk {
  std::uint32_t count = 0;  ///< elements
  std::uint32_t items = 0;  ///< packs where `wide`, else elements
  int rank = 1;
  bool wide = false;
  bool step[N] = {};  ///< wide: dense along the innermost axis, otherwise constant
  Divider sizes[kMaxRank];
  std::int64_t strides[kMaxRank][N] = {};

  __device__ Offsets<N> offsets(std::uint32_t i) const {
    Offsets<N> o{};
    for (int axis = rank - 1; axis > 0; --axis) {
      std::uint32_t at = i;
      i = sizes[axis].split(at);
#pragma unroll
      for (int k = 0; k < N; ++k) o.of[k] += std::int64_t(at) * strides[axis][k];
    }
#pragma unroll
    for (int k = 0; k < N; ++k) o.of[k] += std::int64_t(i) * strides[0][k];
    return o;
  }
};

template <int N, int V, class Body>
__global__ void __launch_bounds__(kBlock) walk_kernel(Walk<N> w, Body body) {
  const std::uint32_t threads = gridDim.x * blockDim.x;
  for (std::uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < w.items; i += threads) {
    Offsets<N> o = w.offsets(i);
    const std::uint32_t left = w.count - (w.wide ? i * std::uint32_t(V) : i);
    if (w.wide && left >= std::uint32_t(V)) {
      body.pack(o, w.step);
      continue;
    }
    const std::uint32_t n = w.wide ? left : 1;
#pragma unroll 1
    for (std::uint32_t k = 0; k < n; ++k) {
      body.one(o);
#pragma unroll
      for (int j = 0; j < N; ++j) o.of[j] += w.step[j];
    }
  }
}

/// Everything about a loop that is known before the operands are.
template <int N, int V>
class WalkLoop {
 public:
  /// Of a launch: indices of the next grid step stay within 32 bits.
  static constexpr std::int64_t kMost = std::int64_t(1) << 30;

  /// `sizes`: bytes of an element of each operand. More than `most` elements are several launches.
  WalkLoop(const StridedAxes<N>& axes, const std::array<std::size_t, N>& sizes, std::int64_t most = kMost) : sizes_(sizes) {
    if (axes.count > 0) cut(axes, {}, most);
  }

  /// make(pointers) gives the Body for operands that begin at `pointers`. `shared_bytes`: of dynamic memory, for a block.
  template <class Make>
  void run(const char* name, void* const* operands, const Make& make, std::size_t shared_bytes = 0) const {
    for (const Part& part : parts_) {
      std::array<char*, N> p;
      bool wide = part.wide.wide;
      for (std::size_t k = 0; k < N; ++k) {
        p[k] = static_cast<char*>(operands[k]) + part.base[k] * std::int64_t(sizes_[k]);
        wide = wide && (!part.wide.step[k] || is_aligned(p[k], lanes_alignment(sizes_[k], V)));
      }
      const Walk<N>& w = wide ? part.wide : part.single;
      auto body = make(p);
      if (w.items > 0) start(name, dim3(grid_for(w.items)), dim3(kBlock), shared_bytes, walk_kernel<N, V, decltype(body)>, w, body);
    }
  }

 private:
  struct Part {
    std::array<std::int64_t, N> base;
    Walk<N> wide, single;
  };

  void cut(StridedAxes<N> axes, const std::array<std::int64_t, N>& base, std::int64_t most) {
    if (axes.count <= most) return parts_.push_back({base, wide_of(axes), single_of(axes)});
    const std::int64_t whole = axes.sizes[0], below = axes.count / whole, length = std::max<std::int64_t>(1, most / below);
    for (std::int64_t begin = 0; begin < whole; begin += length) {
      StridedAxes<N> part = axes;
      part.sizes[0] = std::min(length, whole - begin);
      part.count = part.sizes[0] * below;
      std::array<std::int64_t, N> at = base;
      for (std::size_t k = 0; k < N; ++k) at[k] += begin * axes.strides[0][k];
      if (part.sizes[0] == 1 && part.rank > 1) {
        --part.rank;
        for (std::size_t a = 0; a + 1 < std::size_t(kMaxRank); ++a) {
          part.sizes[a] = part.sizes[a + 1];
          part.strides[a] = part.strides[a + 1];
        }
      }
      cut(part, at, most);
    }
  }

  static Walk<N> single_of(const StridedAxes<N>& axes) {
    Walk<N> w;
    w.count = w.items = std::uint32_t(axes.count);
    w.rank = axes.rank;
    for (int a = 0; a < axes.rank; ++a) {
      w.sizes[a] = Divider(axes.sizes[std::size_t(a)]);
      for (int k = 0; k < N; ++k) w.strides[a][k] = axes.strides[std::size_t(a)][std::size_t(k)];
    }
    return w;
  }

  /// `wide` stays false where the layout has no packs.
  static Walk<N> wide_of(const StridedAxes<N>& axes) {
    Walk<N> w = single_of(axes);
    const int last = axes.rank - 1;
    if (axes.count < V || (last > 0 && axes.sizes[std::size_t(last)] % V)) return w;
    for (int k = 0; k < N; ++k) {
      const std::int64_t inner = w.strides[last][k];
      if (inner != 0 && inner != 1) return single_of(axes);
      w.step[k] = inner == 1;
      w.strides[last][k] = inner * V;
      for (int a = 0; a < last; ++a)
        if (w.step[k] && w.strides[a][k] % V) return single_of(axes);
    }
    if (!w.step[N - 1]) return single_of(axes);
    w.sizes[last] = Divider(std::max<std::int64_t>(1, axes.sizes[std::size_t(last)] / V));
    w.items = std::uint32_t((axes.count + V - 1) / V);
    w.wide = true;
    return w;
  }

  std::array<std::size_t, N> sizes_;
  std::vector<Part> parts_;
};

}  // namespace tenon::cuda

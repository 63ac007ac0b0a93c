/// What the device's label losses share with their gradients (private).
///
/// A label outside [0, classes) cannot stop a kernel: it makes the loss, and its row of the gradient, NaN, and is thrown at the next copy
/// to the host.
#pragma once

#include <limits>

#include "backend/cuda/class_tile.cuh"
#include "backend/cuda/columns.cuh"
#include "backend/cuda/faults.cuh"
#include "kernels/loss.hpp"
#include "ops/dispatch.hpp"
#include "ops/loss_kernels.hpp"
#include "ops/row_softmax.cuh"

namespace tenon::cuda {

static_assert(kManyClasses == LabelLoss::kTiledClasses, "rows of more classes are chunks of their own");

struct LossCut {
  std::int64_t samples, voxels, classes, chunk;
  unsigned chunks;
  DType labels;
  ClassTile tile;
  int segment;  ///< threads that add up one class, a power of two
  FaultSite fault;
  TENON_HD std::int64_t width() const { return 1 + 3 * classes; }
};

inline FaultSite label_fault(const char* op, std::int64_t classes) {
  return fault_site(std::string("labels of ") + op + ' ' + std::to_string(classes),
                    [op, classes](std::int64_t value, std::int64_t at) { refuse_label(op, value, at, classes); });
}

inline LossCut loss_cut(const LabelLoss& p, const FaultSite& fault) {
  int segment = kBlock;
  while (segment > 1 && segment * p.classes > kBlock) segment /= 2;
  return {p.samples,
          p.voxels,
          p.classes,
          p.chunk(),
          grid_blocks(p.chunks()),
          p.labels,
          class_tile(p.classes <= kManyClasses ? p.classes : kManyClasses),
          segment,
          fault};
}

__device__ inline std::int64_t raw_label(const void* labels, DType type, std::int64_t i) {
  switch (type) {
    case DType::i8:
      return static_cast<const std::int8_t*>(labels)[i];
    case DType::i16:
      return static_cast<const std::int16_t*>(labels)[i];
    case DType::i32:
      return static_cast<const std::int32_t*>(labels)[i];
    case DType::i64:
      return static_cast<const std::int64_t*>(labels)[i];
    default:
      return static_cast<const std::uint8_t*>(labels)[i];
  }
}

/// The label of row i, or -1.
__device__ inline int read_label(const LossCut& k, const void* labels, std::int64_t i) {
  const std::int64_t v = raw_label(labels, k.labels, i);
  if (std::uint64_t(v) < std::uint64_t(k.classes)) return int(v);
  k.fault.raise(i, v);
  return -1;
}

/// The rows of a block: [begin, end) over all samples.
struct LossRows {
  std::int64_t sample, begin, end;
};
__device__ inline LossRows loss_rows(const LossCut& k) {
  LossRows at;
  at.sample = blockIdx.x / k.chunks;
  const std::int64_t first = blockIdx.x % k.chunks * k.chunk, n = k.voxels - first < k.chunk ? k.voxels - first : k.chunk;
  at.begin = at.sample * k.voxels + first;
  at.end = at.begin + n;
  return at;
}

template <class T>
__device__ void load_rows(const LossCut& k, const T* x, const void* labels, std::int64_t first, int n, Acc<T>* tile, int* label) {
  __syncthreads();  // the rows before are done with
  load_tile<T>(x + first * k.tile.classes, n * k.tile.classes, tile);
  for (int r = int(threadIdx.x); r < n; r += kBlock) label[r] = read_label(k, labels, first + r);
  __syncthreads();
}

/// The sum of v over the first `segment` threads of each aligned group of as many, in those groups' first threads.
__device__ inline double segment_sum(double v, double* shared, int segment) {
  const int t = int(threadIdx.x);
  __syncthreads();
  shared[t] = v;
  for (int half = segment / 2; half > 0; half /= 2) {
    __syncthreads();
    if (t % segment < half) {
      v += shared[t + half];
      shared[t] = v;
    }
  }
  return v;
}

}  // namespace tenon::cuda

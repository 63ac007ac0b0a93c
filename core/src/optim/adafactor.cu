/// Adafactor on a device: the same steps as on the CPU, a few launches a leaf.
#include "backend/cuda/install.hpp"
#include "backend/cuda/launch.cuh"
#include "backend/cuda/sums.cuh"
#include "optim/optim_kernels.hpp"

namespace tenon::cuda {
namespace {

/// One leaf's step, as its kernels see it.
struct LeafStep {
  const float *g, *scalars, *norm;
  float *w, *row, *column;
  double *weight_squares, *direction_squares, *mean_row;  ///< a run each; a matrix
  std::int64_t matrices, rows, columns, count, runs;
  Clipping clipping;
  double beta2_decay, eps1, eps2, threshold, decay;
  float rate_factor;

  __device__ float gradient(std::int64_t i) const { return clipping(g[i]) * clipping.factor(*norm); }
  __device__ double step() const { return scalars[1] < 1 ? 1.0 : double(scalars[1]); }
  __device__ float blend() const { return float(pow(step(), beta2_decay)); }
  __device__ double rate() const { return double(scalars[0] * rate_factor); }
  __device__ float direction(std::int64_t i) const {
    const std::int64_t line = i / columns;
    const float estimate = rows > 0 ? row[line] * column[line / rows * columns + i % columns] / float(mean_row[line / rows]) : column[i];
    const float least = float(eps1 * eps1);
    return gradient(i) / sqrtf(estimate > least ? estimate : least);
  }
};

__device__ std::int64_t first_item() { return std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ std::int64_t item_step() { return std::int64_t(gridDim.x) * blockDim.x; }

/// A warp a row.
__global__ void row_moments(LeafStep s) {
  const std::int64_t warps = item_step() / kWarp, lines = s.matrices * s.rows;
  const float blend = s.blend();
  for (std::int64_t r = first_item() / kWarp; r < lines; r += warps) {
    double sum = 0;
    for (std::int64_t c = threadIdx.x % kWarp; c < s.columns; c += kWarp) {
      const float v = s.gradient(r * s.columns + c);
      sum += double(v) * double(v);
    }
    sum = warp_sum(sum);
    if (threadIdx.x % kWarp == 0) s.row[r] += (float(sum / double(s.columns)) - s.row[r]) * blend;
  }
}

__global__ void column_moments(LeafStep s) {
  const float blend = s.blend();
  for (std::int64_t i = first_item(); i < s.matrices * s.columns; i += item_step()) {
    const std::int64_t m = i / s.columns, c = i % s.columns;
    double sum = 0;
    for (std::int64_t r = 0; r < s.rows; ++r) {
      const float v = s.gradient((m * s.rows + r) * s.columns + c);
      sum += double(v) * double(v);
    }
    s.column[i] += (float(sum / double(s.rows)) - s.column[i]) * blend;
  }
}

__global__ void mean_rows(LeafStep s) {
  for (std::int64_t m = first_item(); m < s.matrices; m += item_step()) {
    double sum = 0;
    for (std::int64_t r = 0; r < s.rows; ++r) sum += double(s.row[m * s.rows + r]);
    const double mean = sum / double(s.rows);
    s.mean_row[m] = mean > s.eps1 ? mean : s.eps1;
  }
}

__global__ void vector_moments(LeafStep s) {
  const float blend = s.blend();
  for (std::int64_t i = first_item(); i < s.count; i += item_step()) {
    const float g = s.gradient(i);
    s.column[i] += (g * g - s.column[i]) * blend;
  }
}

/// A block a run.
__global__ void run_squares(LeafStep s) {
  const std::int64_t begin = std::int64_t(blockIdx.x) * kShortRun, end = begin + kShortRun < s.count ? begin + kShortRun : s.count;
  double of_weights = 0, of_directions = 0;
  for (std::int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
    const float d = s.direction(i);
    of_weights += double(s.w[i]) * double(s.w[i]);
    of_directions += double(d) * double(d);
  }
  of_weights = block_sum(of_weights);
  of_directions = block_sum(of_directions);
  if (threadIdx.x == 0) s.weight_squares[blockIdx.x] = of_weights, s.direction_squares[blockIdx.x] = of_directions;
}

/// Every block adds up all runs, in one order.
__global__ void apply(LeafStep s) {
  double of_weights = 0, of_directions = 0;
  for (std::int64_t r = threadIdx.x; r < s.runs; r += blockDim.x) of_weights += s.weight_squares[r], of_directions += s.direction_squares[r];
  const double n = double(s.count), weight = sqrt(block_sum(of_weights) / n), spread = sqrt(block_sum(of_directions) / n) / s.threshold;
  const double most = 1 / sqrt(s.step()), rate = s.rate();
  const double alpha = (weight > s.eps2 ? weight : s.eps2) * (rate < most ? rate : most);
  const float scale = float(alpha / (spread > 1 ? spread : 1.0)), shrink = float(1 - rate * s.decay);
  const std::int64_t begin = std::int64_t(blockIdx.x) * kShortRun, end = begin + kShortRun < s.count ? begin + kShortRun : s.count;
  for (std::int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) s.w[i] = s.w[i] * shrink - scale * s.direction(i);
}

void start_leaf(const LeafStep& s) {
  constexpr const char* name = "optimiser.adafactor";
  if (s.rows > 0) {
    start_items(name, s.matrices * s.rows * kWarp, row_moments, s);
    start_items(name, s.matrices * s.columns, column_moments, s);
    start_items(name, s.matrices, mean_rows, s);
  } else {
    start_items(name, s.count, vector_moments, s);
  }
  start(name, dim3(unsigned(s.runs)), dim3(kBlock), 0, run_squares, s);
  start(name, dim3(unsigned(s.runs)), dim3(kBlock), 0, apply, s);
}

Kernel make_adafactor(const AdafactorUpdate& u) {
  return [u](void* const* p) {
    const std::size_t n = u.leaves.count();
    auto* sums = static_cast<double*>(p[4 * n + 2]);
    double *directions = sums + u.leaves.partials(), *means = directions + u.leaves.partials();
    for (std::size_t i = 0; i < n; ++i) {
      const MatrixShape& shape = u.shapes[i];
      const std::int64_t count = shape.elements(), runs = (count + kShortRun - 1) / kShortRun;
      if (count > 0)
        start_leaf({static_cast<const float*>(p[i]), static_cast<const float*>(p[n]), static_cast<const float*>(p[n + 1]), static_cast<float*>(p[n + 2 + i]),
                    static_cast<float*>(p[2 * n + 2 + i]), static_cast<float*>(p[3 * n + 2 + i]), sums, directions, means, shape.matrices, shape.rows,
                    shape.columns, count, runs, u.leaves.clipping, u.beta2_decay, u.eps1, u.eps2, u.threshold, u.decay * double(u.leaves.factors[i].decay),
                    u.leaves.factors[i].rate});
      sums += runs;
      directions += runs;
      means += shape.matrices;
    }
  };
}

}  // namespace

void install_adafactor() { adafactor_kernel.set(DeviceType::cuda, make_adafactor); }

}  // namespace tenon::cuda

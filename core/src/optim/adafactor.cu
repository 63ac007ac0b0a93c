/// Adafactor on a device: the same steps as on the CPU, a few launches a leaf.
#include "backend/cuda/divider.cuh"
#include "backend/cuda/install.hpp"
#include "backend/cuda/packs.cuh"
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
  LongDivider by_columns, by_rows;
  Clipping clipping;
  double beta2_decay, eps1, eps2, threshold, decay;
  float rate_factor;

  __device__ float gradient(std::int64_t i) const { return clipping(g[i]) * clipping.factor(*norm); }
  __device__ double step() const { return scalars[1] < 1 ? 1.0 : double(scalars[1]); }
  __device__ float blend() const { return float(pow(step(), beta2_decay)); }
  __device__ double rate() const { return double(scalars[0] * rate_factor); }
  __device__ float direction(std::int64_t i) const {
    float estimate = 0;
    if (rows > 0) {
      std::int64_t c = i, r = by_columns.split(c);
      const float of_row = row[r];
      const std::int64_t m = by_rows.split(r);
      estimate = of_row * column[m * columns + c] / float(mean_row[m]);
    } else {
      estimate = column[i];
    }
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

constexpr int kColumnWarps = 32, kAtOnce = 4;

/// A block 32 columns of a matrix: a warp every 32nd row of them, whose sums the first warp adds up.
__global__ void __launch_bounds__(kWarp * kColumnWarps) column_moments(LeafStep s) {
  __shared__ double sums[kColumnWarps][kWarp];
  const std::int64_t strips = (s.columns + kWarp - 1) / kWarp, m = blockIdx.x / strips;
  const int lane = int(threadIdx.x) % kWarp, warp = int(threadIdx.x) / kWarp;
  const std::int64_t c = blockIdx.x % strips * kWarp + lane;
  double sum = 0;
  if (c < s.columns) {
    const std::int64_t first = m * s.rows * s.columns + c;
    for (std::int64_t begin = warp; begin < s.rows; begin += kColumnWarps * kAtOnce) {
      float v[kAtOnce];  // on their way together
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        const std::int64_t r = begin + i * kColumnWarps;
        v[i] = r < s.rows ? s.g[first + r * s.columns] : 0.0f;
      }
      const float factor = s.clipping.factor(*s.norm);
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        const float g = s.clipping(v[i]) * factor;
        sum += double(g) * double(g);
      }
    }
  }
  sums[warp][lane] = sum;
  __syncthreads();
  if (warp > 0 || c >= s.columns) return;
  for (int w = 1; w < kColumnWarps; ++w) sum += sums[w][lane];
  float& moment = s.column[m * s.columns + c];
  moment += (float(sum / double(s.rows)) - moment) * s.blend();
}

/// A block a matrix.
__global__ void mean_rows(LeafStep s) {
  const std::int64_t m = blockIdx.x;
  double sum = 0;
  for (std::int64_t r = threadIdx.x; r < s.rows; r += blockDim.x) sum += double(s.row[m * s.rows + r]);
  const double mean = block_sum(sum) / double(s.rows);
  if (threadIdx.x == 0) s.mean_row[m] = mean > s.eps1 ? mean : s.eps1;
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

constexpr std::int64_t kFewRuns = 64;

/// One block adds up all runs where they are not few; else every block of `apply` does, in the same order.
__global__ void sum_runs(LeafStep s) {
  double of_weights = 0, of_directions = 0;
  for (std::int64_t r = threadIdx.x; r < s.runs; r += blockDim.x) of_weights += s.weight_squares[r], of_directions += s.direction_squares[r];
  of_weights = block_sum(of_weights);
  of_directions = block_sum(of_directions);
  if (threadIdx.x == 0) *s.weight_squares = of_weights, *s.direction_squares = of_directions;
}

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
    start(name, dim3(grid_blocks(s.matrices * ((s.columns + kWarp - 1) / kWarp))), dim3(kWarp * kColumnWarps), 0, column_moments, s);
    start(name, dim3(grid_blocks(s.matrices)), dim3(kBlock), 0, mean_rows, s);
  } else {
    start_items(name, s.count, vector_moments, s);
  }
  start(name, dim3(unsigned(s.runs)), dim3(kBlock), 0, run_squares, s);
  LeafStep summed = s;
  if (s.runs > kFewRuns) {
    start(name, dim3(1), dim3(kBlock), 0, sum_runs, s);
    summed.runs = 1;
  }
  start(name, dim3(unsigned(s.runs)), dim3(kBlock), 0, apply, summed);
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
                    shape.columns, count, runs, LongDivider(shape.columns), LongDivider(shape.rows), u.leaves.clipping, u.beta2_decay, u.eps1, u.eps2, u.threshold, u.decay * double(u.leaves.factors[i].decay),
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

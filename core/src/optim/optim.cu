/// Optimisers on a device: a few launches over all parameters, however many there are.
#include <memory>

#include "backend/cuda/install.hpp"
#include "backend/cuda/last_block.cuh"
#include "backend/cuda/packs.cuh"
#include "backend/cuda/sums.cuh"
#include "backend/cuda/upload.cuh"
#include "optim/optim_kernels.hpp"

namespace tenon::cuda {
namespace {

constexpr int kLeavesALaunch = 1024;  // their addresses are arguments of the kernel: 16 KiB of at most 32

struct DeviceRun {
  std::int64_t begin, end, state;  ///< of the leaf; state: where the run's elements begin in the flat buffers
  std::int32_t leaf;               ///< among the leaves of the launch
  float rate, decay;
};

struct LeafAddresses {
  const float* g[kLeavesALaunch];
  float* w[kLeavesALaunch];
};

/// Runs of the leaves [first, first + count), and where they are in the list of all.
struct Group {
  std::size_t first, count;
  std::int64_t first_run, run_count;
  std::shared_ptr<const DeviceRun> runs;
};

std::vector<Group> groups_of(const FlatLeaves& leaves) {
  std::vector<Group> groups;
  const std::vector<OptimiserRun> all = leaves.runs(kShortRun);
  std::size_t r = 0;
  for (std::size_t first = 0; first < leaves.count(); first += kLeavesALaunch) {
    const std::size_t count = std::min<std::size_t>(kLeavesALaunch, leaves.count() - first);
    std::vector<DeviceRun> runs;
    const std::size_t first_run = r;
    for (; r < all.size() && all[r].leaf < first + count; ++r) {
      const OptimiserRun& run = all[r];
      const LeafFactors& own = leaves.factors[run.leaf];
      runs.push_back({run.begin, run.end, run.base + run.begin, std::int32_t(run.leaf - first), own.rate, own.decay});
    }
    if (!runs.empty()) groups.push_back({first, count, std::int64_t(first_run), std::int64_t(runs.size()), upload(runs)});
  }
  return groups;
}

/// Reads at p[gradients + leaf], writes at p[weights + leaf].
LeafAddresses addresses(const Group& g, void* const* p, std::size_t gradients, std::size_t weights) {
  LeafAddresses a{};
  for (std::size_t i = 0; i < g.count; ++i) {
    a.g[i] = static_cast<const float*>(p[gradients + g.first + i]);
    a.w[i] = static_cast<float*>(p[weights + g.first + i]);
  }
  return a;
}

template <class... P, class... A> void start_runs(const char* name, const Group& g, void (*kernel)(P...), A... args) {
  start(name, dim3(unsigned(g.run_count)), dim3(kBlock), 0, kernel, args...);
}

// ---- norm ---------------------------------------------------------------------------------------------------------

/// `norm`: written by the last block, where all runs are in this launch, else null.
__global__ void run_squares(LeafAddresses a, const DeviceRun* runs, Clipping clipping, double* partial, float* norm) {
  const DeviceRun run = runs[blockIdx.x];
  const float* g = a.g[run.leaf];
  double sum = 0;
#pragma unroll 4
  for (std::int64_t i = run.begin + threadIdx.x; i < run.end; i += blockDim.x) {
    const double v = double(clipping(g[i]));
    sum += v * v;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
  if (!norm || !is_last_block(0, gridDim.x)) return;
  sum = block_sum(share_of_left(partial, gridDim.x));
  if (threadIdx.x == 0) *norm = float(sqrt(sum));
}

__global__ void root_of_sum(const double* partial, std::int64_t n, float* norm) {
  double sum = 0;
  for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) sum += partial[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *norm = float(sqrt(sum));
}

Kernel make_norm(const FlatLeaves& leaves) {
  auto groups = std::make_shared<std::vector<Group>>(groups_of(leaves));
  return [groups, n = leaves.count(), clipping = leaves.clipping, runs = std::int64_t(leaves.runs(kShortRun).size())](void* const* p) {
    auto* partial = static_cast<double*>(p[n]);
    auto *norm = static_cast<float*>(p[n + 1]), *whole = groups->size() == 1 ? norm : nullptr;
    for (const Group& g : *groups) start_runs("optimiser.norm", g, run_squares, addresses(g, p, 0, 0), g.runs.get(), clipping, partial + g.first_run, whole);
    if (!whole) start("optimiser.norm", dim3(1), dim3(kBlock), 0, root_of_sum, partial, runs, norm);
  };
}

// ---- updates of single elements -------------------------------------------------------------------------------------

/// What a block needs of this step, from the small tensors that the host writes.
struct StepScalars {
  const float *scalars, *norm;
  Clipping clipping;
  float decay;
  __device__ float rate() const { return scalars[0]; }
  __device__ float factor() const { return clipping.factor(*norm); }
};

struct Slots {
  float* of[3];
};

__device__ void update(const kernels::Sgd& m, const BiasCorrection&, float& w, const Slots& s, std::int64_t at, float g, float lr, float decay) {
  m(w, s.of[0][at], g, lr, decay);
}
template <class Moments>
__device__ void update(const Moments& m, const BiasCorrection& c, float& w, const Slots& s, std::int64_t at, float g, float lr, float decay) {
  m(w, s.of[0][at], s.of[1][at], g, lr, decay, c.c1, c.c2);
}
__device__ void update(const kernels::RmsProp& m, const BiasCorrection&, float& w, const Slots& s, std::int64_t at, float g, float lr, float decay) {
  float* const mean = m.centred ? s.of[2] : s.of[1];
  m(w, s.of[0][at], mean[at], s.of[1][at], g, lr, decay);
}

__device__ inline BiasCorrection correction(float beta1, float beta2, float step) {
  __shared__ float shared[2];
  if (threadIdx.x == 0) {
    const BiasCorrection c(beta1, beta2, step);
    shared[0] = c.c1;
    shared[1] = c.c2;
  }
  __syncthreads();
  BiasCorrection c(0, 0, 0);
  c.c1 = shared[0];
  c.c2 = shared[1];
  return c;
}
template <class Maths> __device__ BiasCorrection correction_of(const Maths& m, float step) {
  if constexpr (requires { m.beta1; }) return correction(m.beta1, m.beta2, step);
  else return BiasCorrection(0, 0, 0);
}

constexpr int kWide = 4;  ///< elements that a thread moves at once

__device__ inline bool lies_wide(const float* p) {
  return reinterpret_cast<std::uintptr_t>(p) % 16 == 0;
}

template <class Maths> __global__ void update_runs(LeafAddresses a, const DeviceRun* runs, Slots slots, StepScalars step, Maths maths) {
  const DeviceRun run = runs[blockIdx.x];
  const BiasCorrection c = correction_of(maths, step.scalars[1]);
  const float lr = step.rate() * run.rate, decay = step.decay * run.decay, factor = step.factor();
  const float* g = a.g[run.leaf] + run.begin;
  float* w = a.w[run.leaf] + run.begin;
  bool wide = lies_wide(g) && lies_wide(w);
  for (float*& slot : slots.of) {
    if (slot) slot += run.state;
    wide = wide && lies_wide(slot);
  }
  const std::int64_t n = run.end - run.begin, packs = wide ? n / kWide : 0;
  for (std::int64_t i = threadIdx.x; i < packs; i += blockDim.x) {
    alignas(16) float weight[kWide], gradient[kWide], state[3][kWide];
    copy_bytes<16>(weight, w + i * kWide);
    copy_bytes<16>(gradient, g + i * kWide);
#pragma unroll
    for (int k = 0; k < 3; ++k)
      if (slots.of[k]) copy_bytes<16>(state[k], slots.of[k] + i * kWide);
#pragma unroll
    for (int j = 0; j < kWide; ++j)
      update(maths, c, weight[j], Slots{{state[0], state[1], state[2]}}, j, step.clipping(gradient[j]) * factor, lr, decay);
    store_bytes<16>(w + i * kWide, weight);
#pragma unroll
    for (int k = 0; k < 3; ++k)
      if (slots.of[k]) store_bytes<16>(slots.of[k] + i * kWide, state[k]);
  }
  for (std::int64_t i = packs * kWide + threadIdx.x; i < n; i += blockDim.x) update(maths, c, w[i], slots, i, step.clipping(g[i]) * factor, lr, decay);
}

Kernel make_update(const FlatUpdate& f, const ElementMaths& element) {
  auto groups = std::make_shared<std::vector<Group>>(groups_of(f.leaves));
  return std::visit(
      [&](const auto& maths) -> Kernel {
        using Maths = std::decay_t<decltype(maths)>;
        return [groups, maths, n = f.leaves.count(), slots = f.slots, clipping = f.leaves.clipping, decay = f.decay](void* const* p) {
          Slots s{};
          for (std::size_t k = 0; k < slots; ++k) s.of[k] = static_cast<float*>(p[2 * n + 2 + k]);
          const StepScalars step{static_cast<const float*>(p[n]), static_cast<const float*>(p[n + 1]), clipping, decay};
          for (const Group& g : *groups) start_runs("optimiser.update", g, update_runs<Maths>, addresses(g, p, 0, n + 2), g.runs.get(), s, step, maths);
        };
      },
      element);
}

// ---- LAMB -------------------------------------------------------------------------------------------------------------

__global__ void lamb_directions(LeafAddresses a, const DeviceRun* runs, Slots slots, StepScalars step, kernels::Lamb maths, double* squares) {
  const DeviceRun run = runs[blockIdx.x];
  const BiasCorrection c = correction(maths.beta1, maths.beta2, step.scalars[1]);
  const float factor = step.factor(), decay = step.decay * run.decay;
  double of_weights = 0, of_directions = 0;
  for (std::int64_t i = run.begin + threadIdx.x; i < run.end; i += blockDim.x) {
    const std::int64_t at = run.state + i - run.begin;
    const float w = a.w[run.leaf][i], d = maths(w, slots.of[0][at], slots.of[1][at], step.clipping(a.g[run.leaf][i]) * factor, decay, c.c1, c.c2);
    slots.of[2][at] = d;
    of_weights += double(w) * double(w);
    of_directions += double(d) * double(d);
  }
  of_weights = block_sum(of_weights);
  of_directions = block_sum(of_directions);
  if (threadIdx.x == 0) squares[2 * blockIdx.x] = of_weights, squares[2 * blockIdx.x + 1] = of_directions;
}

/// The first block of each leaf adds up the sums of its runs, and leaves the leaf's trust in place of the first.
__global__ void lamb_trust(const DeviceRun* runs, std::int64_t all_runs, double* squares) {
  const DeviceRun run = runs[blockIdx.x];
  if (run.begin > 0) return;
  double of_weights = 0, of_directions = 0;
  for (std::int64_t r = blockIdx.x + std::int64_t(threadIdx.x); r < all_runs && runs[r].leaf == run.leaf; r += blockDim.x)
    of_weights += squares[2 * r], of_directions += squares[2 * r + 1];
  of_weights = sqrt(block_sum(of_weights));
  of_directions = sqrt(block_sum(of_directions));
  if (threadIdx.x == 0) squares[2 * blockIdx.x] = of_weights > 0 && of_directions > 0 ? of_weights / of_directions : 1.0;
}

__global__ void lamb_apply(LeafAddresses a, const DeviceRun* runs, Slots slots, StepScalars step, const double* squares) {
  const DeviceRun run = runs[blockIdx.x];
  const float rate = step.rate() * run.rate * float(squares[2 * (std::int64_t(blockIdx.x) - run.begin / kShortRun)]);
  for (std::int64_t i = run.begin + threadIdx.x; i < run.end; i += blockDim.x) a.w[run.leaf][i] -= rate * slots.of[2][run.state + i - run.begin];
}

Kernel make_lamb(const FlatUpdate& f, const kernels::Lamb& maths) {
  auto groups = std::make_shared<std::vector<Group>>(groups_of(f.leaves));
  return [groups, maths, n = f.leaves.count(), clipping = f.leaves.clipping, decay = f.decay](void* const* p) {
    const Slots s{{static_cast<float*>(p[2 * n + 2]), static_cast<float*>(p[2 * n + 3]), static_cast<float*>(p[2 * n + 4])}};
    auto* squares = static_cast<double*>(p[2 * n + 5]);
    const StepScalars step{static_cast<const float*>(p[n]), static_cast<const float*>(p[n + 1]), clipping, decay};
    for (const Group& g : *groups) {
      const LeafAddresses a = addresses(g, p, 0, n + 2);
      start_runs("optimiser.lamb", g, lamb_directions, a, g.runs.get(), s, step, maths, squares + 2 * g.first_run);
      start_runs("optimiser.lamb", g, lamb_trust, g.runs.get(), g.run_count, squares + 2 * g.first_run);
      start_runs("optimiser.lamb", g, lamb_apply, a, g.runs.get(), s, step, squares + 2 * g.first_run);
    }
  };
}

// ---- Muon -------------------------------------------------------------------------------------------------------------

__global__ void muon_momentum(MuonMomentum m, const float* g, const float* norm, float* v, float* d) {
  const float factor = m.clipping.factor(*norm);
  for (std::int64_t k = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; k < m.count; k += std::int64_t(gridDim.x) * blockDim.x) {
    const float here = m.clipping(g[k]) * factor;
    v[k] += (here - v[k]) * (1 - m.keep);
    d[k] = m.nesterov ? here + (v[k] - here) * m.keep : v[k];
  }
}

__global__ void muon_update(MuonStep s, const float* u, const float* scalars, float* w) {
  const float lr = scalars[0] * s.rate;
  for (std::int64_t k = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; k < s.count; k += std::int64_t(gridDim.x) * blockDim.x)
    w[k] = w[k] * (1 - lr * s.decay) - lr * s.shape * u[k];
}

__global__ void muon_vector(MuonVector s, const float* g, const float* scalars, const float* norm, float* w, float* m, float* v) {
  const BiasCorrection c = correction(s.maths.beta1, s.maths.beta2, scalars[1]);
  const float factor = s.clipping.factor(*norm);
  for (std::int64_t k = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; k < s.count; k += std::int64_t(gridDim.x) * blockDim.x)
    s.maths(w[k], m[k], v[k], s.clipping(g[k]) * factor, scalars[0] * s.rate, s.decay, c.c1, c.c2);
}

// ---- accumulation and loss scale ------------------------------------------------------------------------------------------

__global__ void add_gradients(LeafAddresses a, const DeviceRun* runs, const float* fresh) {
  const DeviceRun run = runs[blockIdx.x];
  const bool first = *fresh != 0;
  const float* g = a.g[run.leaf];
  float* sum = a.w[run.leaf];
  for (std::int64_t i = run.begin + threadIdx.x; i < run.end; i += blockDim.x) sum[i] = first ? g[i] : sum[i] + g[i];
}

__global__ void blend_averages(LeafAddresses a, const DeviceRun* runs, const float* keep) {
  const DeviceRun run = runs[blockIdx.x];
  const float kept = *keep;
  for (std::int64_t i = run.begin + threadIdx.x; i < run.end; i += blockDim.x) {
    const float w = a.g[run.leaf][i];
    a.w[run.leaf][i] = w + kept * (a.w[run.leaf][i] - w);
  }
}

/// Both sides are written; the first stand where an update has its gradients.
__global__ void exchange(LeafAddresses a, const DeviceRun* runs) {
  const DeviceRun run = runs[blockIdx.x];
  auto* first = const_cast<float*>(a.g[run.leaf]);
  for (std::int64_t i = run.begin + threadIdx.x; i < run.end; i += blockDim.x) {
    const float w = first[i];
    first[i] = a.w[run.leaf][i];
    a.w[run.leaf][i] = w;
  }
}

__global__ void no_longer_fresh(float* fresh) { *fresh = 0; }

__global__ void unscale_runs(LeafAddresses a, const DeviceRun* runs, const float* scale, std::uint8_t* good) {
  const DeviceRun run = runs[blockIdx.x];
  const float inverse = float(1.0 / double(*scale));
  float* g = a.w[run.leaf];
  int bad = 0;
  for (std::int64_t i = run.begin + threadIdx.x; i < run.end; i += blockDim.x) {
    g[i] *= inverse;
    bad |= !isfinite(g[i]);
  }
  bad = block_sum(bad);
  if (threadIdx.x == 0) good[blockIdx.x] = bad == 0;
}

__global__ void all_good(const std::uint8_t* good, std::int64_t n, float* finite) {
  int bad = 0;
  for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) bad += good[i] == 0;
  bad = block_sum(bad);
  if (threadIdx.x == 0) *finite = bad == 0 ? 1.0f : 0.0f;
}

}  // namespace

void install_optimisers() {
  gradient_norm_kernel.set(DeviceType::cuda, make_norm);
  element_update_kernel.set(DeviceType::cuda, make_update);
  lamb_update_kernel.set(DeviceType::cuda, make_lamb);
  muon_momentum_kernel.set(DeviceType::cuda, [](const MuonMomentum& m) -> Kernel {
    return [m](void* const* p) {
      start_items("optimiser.muon", m.count, muon_momentum, m, static_cast<const float*>(p[0]), static_cast<const float*>(p[1]), static_cast<float*>(p[2]),
                  static_cast<float*>(p[3]));
    };
  });
  muon_update_kernel.set(DeviceType::cuda, [](const MuonStep& s) -> Kernel {
    return [s](void* const* p) {
      start_items("optimiser.muon", s.count, muon_update, s, static_cast<const float*>(p[0]), static_cast<const float*>(p[1]), static_cast<float*>(p[2]));
    };
  });
  muon_vector_kernel.set(DeviceType::cuda, [](const MuonVector& s) -> Kernel {
    return [s](void* const* p) {
      start_items("optimiser.muon", s.count, muon_vector, s, static_cast<const float*>(p[0]), static_cast<const float*>(p[1]), static_cast<const float*>(p[2]),
                  static_cast<float*>(p[3]), static_cast<float*>(p[4]), static_cast<float*>(p[5]));
    };
  });
  gradient_sum_kernel.set(DeviceType::cuda, [](const FlatLeaves& leaves) -> Kernel {
    auto groups = std::make_shared<std::vector<Group>>(groups_of(leaves));
    return [groups, n = leaves.count()](void* const* p) {
      auto* fresh = static_cast<float*>(p[2 * n]);
      for (const Group& g : *groups) start_runs("gradient_sum.add", g, add_gradients, addresses(g, p, 0, n), g.runs.get(), fresh);
      start("gradient_sum.add", dim3(1), dim3(1), 0, no_longer_fresh, fresh);
    };
  });
  average_update_kernel.set(DeviceType::cuda, [](const FlatLeaves& leaves) -> Kernel {
    auto groups = std::make_shared<std::vector<Group>>(groups_of(leaves));
    return [groups, n = leaves.count()](void* const* p) {
      for (const Group& g : *groups)
        start_runs("weight_average.update", g, blend_averages, addresses(g, p, 0, n + 1), g.runs.get(), static_cast<const float*>(p[n]));
    };
  });
  exchange_kernel.set(DeviceType::cuda, [](const FlatLeaves& leaves) -> Kernel {
    auto groups = std::make_shared<std::vector<Group>>(groups_of(leaves));
    return [groups, n = leaves.count()](void* const* p) {
      for (const Group& g : *groups) start_runs("weight_average.exchange", g, exchange, addresses(g, p, 0, n), g.runs.get());
    };
  });
  unscale_kernel.set(DeviceType::cuda, [](const FlatLeaves& leaves) -> Kernel {
    auto groups = std::make_shared<std::vector<Group>>(groups_of(leaves));
    return [groups, n = leaves.count(), runs = std::int64_t(leaves.runs(kShortRun).size())](void* const* p) {
      auto* good = static_cast<std::uint8_t*>(p[1 + n]);
      for (const Group& g : *groups)
        start_runs("loss_scale.unscale", g, unscale_runs, addresses(g, p, 1, 1), g.runs.get(), static_cast<const float*>(p[0]), good + g.first_run);
      start("loss_scale.unscale", dim3(1), dim3(kBlock), 0, all_good, good, runs, static_cast<float*>(p[2 + n]));
    };
  });
}

}  // namespace tenon::cuda

#include "backend/cuda/divider.cuh"
#include "backend/cuda/install.hpp"
#include "backend/cuda/launch.cuh"
#include "backend/cuda/upload.cuh"
#include "kernels/sobol.hpp"
#include "ops/sampling_kernels.hpp"
#include "ops/sobol_directions.hpp"

namespace tenon::cuda {
namespace {

template <class Draw>
__global__ void __launch_bounds__(kBlock) draw_elements(Draw draw, typename Draw::value_type* y, std::int64_t count) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) y[i] = draw(std::uint64_t(i));
}

template <class Draw>
void install_draw(KernelSlot<std::int64_t, const Draw&>& slot, const char* name) {
  slot.set(DeviceType::cuda, [name](std::int64_t count, const Draw& draw) -> Kernel {
    return
        [=](void* const* o) { start_items(name, count, draw_elements<Draw>, draw, static_cast<typename Draw::value_type*>(o[0]), count); };
  });
}

// ---- Sobol -------------------------------------------------------------------------------------------------------------

/// One thread a coordinate. `directions`: digit by digit, so that neighbouring dimensions are read together.
template <class T>
__global__ void __launch_bounds__(kBlock)
    sobol_coordinates(const std::uint32_t* directions, T* y, std::int64_t total, LongDivider dimensions, std::int64_t first,
                      std::uint64_t seed, std::uint64_t stream, bool scrambled) {
  const Random random(seed, stream);
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t e = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; e < total; e += threads) {
    std::int64_t d = e;
    const std::int64_t i = dimensions.split(d);
    const std::uint32_t x = sobol_bits(directions + d, std::uint32_t(first + i), kSobolDimensions);
    y[e] = unit_interval<T>(scrambled ? owen_scramble(x, random, std::uint32_t(d)) : x);
  }
}

/// [digit][dimension]; made once a process and never freed, since kernels may outlive static objects.
const std::uint32_t* device_directions() {
  static const std::shared_ptr<const std::uint32_t>& table = *new std::shared_ptr<const std::uint32_t>([] {
    const std::uint32_t* rows = sobol_directions();
    std::vector<std::uint32_t> columns(std::size_t(kSobolBits) * kSobolDimensions);
    for (std::size_t d = 0; d < kSobolDimensions; ++d)
      for (std::size_t bit = 0; bit < kSobolBits; ++bit) columns[bit * kSobolDimensions + d] = rows[d * kSobolBits + bit];
    return upload(columns);
  }());
  return table.get();
}

template <class T>
Kernel sobol_of(const SobolPoints& p) {
  return [p, directions = device_directions()](void* const* o) {
    const std::int64_t total = p.count * p.dimensions;
    start_items("sobol", total, sobol_coordinates<T>, directions, static_cast<T*>(o[0]), total, LongDivider(p.dimensions), p.first, p.seed,
                p.stream, p.scrambled);
  };
}

}  // namespace

void install_sampling() {
  install_draw(random_bernoulli_kernel, "random_bernoulli");
  install_draw(random_integers_kernel, "random_integers");
  install_draw(random_permutation_kernel, "random_permutation");
  install_draw(random_exponential_kernel, "random_exponential");
  install_draw(random_gamma_kernel, "random_gamma");
  sobol_kernel.set(DeviceType::cuda, [](const SobolPoints& p) { return p.dtype == DType::f64 ? sobol_of<double>(p) : sobol_of<float>(p); });
}

}  // namespace tenon::cuda

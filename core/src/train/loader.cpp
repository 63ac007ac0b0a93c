#include "train/loader.hpp"

namespace tenon {
namespace {

std::vector<std::vector<Tensor>> make_batches(const std::vector<TensorSpec>& spec, std::size_t count) {
  std::vector<std::vector<Tensor>> batches(count);
  for (auto& batch : batches)
    for (const TensorSpec& s : spec) batch.push_back(Tensor::empty(s.shape, s.dtype));
  return batches;
}

}  // namespace

BatchLoader::BatchLoader(const std::vector<TensorSpec>& spec, std::int64_t first_step, int threads, int prefetch, Fill fill)
    : batches_(make_batches(spec, Prefetch::slots(prefetch))),
      prefetch_(first_step, threads, prefetch,
                [this, fill = std::move(fill)](std::int64_t step, std::size_t slot) { fill(step, batches_[slot]); }) {}

}  // namespace tenon

#include "tenon/data/collate.hpp"

#include <algorithm>
#include <cstring>

#include "tenon/error.hpp"

namespace tenon::data {
namespace {

/// Whether `tensor` may stand beside `first` in a batch; with `padded` the first axes may differ.
bool fits(const Tensor& tensor, const Tensor& first, bool padded) {
  if (!tensor.defined() || tensor.dtype() != first.dtype() || tensor.rank() != first.rank()) return false;
  for (int axis = padded ? 1 : 0; axis < first.rank(); ++axis)
    if (tensor.size(axis) != first.size(axis)) return false;
  return true;
}

}  // namespace

Sample collate(const std::vector<Sample>& samples, const CollateOptions& options) {
  if (samples.empty()) throw_usage("collate", "no samples given");
  const auto& model = samples[0].items();
  for (const auto& [name, value] : options.pad)
    if (!samples[0].contains(name)) throw_usage("collate", "there is no tensor '" + name + "' to pad");
  Sample batch;
  for (std::size_t item = 0; item < model.size(); ++item) {
    const auto& [name, first] = model[item];
    const auto padding = options.pad.find(name);
    const bool padded = padding != options.pad.end();
    if (!first.defined() || first.device() != kCpu || (padded && first.rank() == 0))
      throw_usage("collate", "'" + name + "' of sample 0 is " + first.str(),
                  padded ? "padding needs an axis; batches are made on the CPU" : "batches are made on the CPU");
    std::vector<std::int64_t> lengths;
    for (std::size_t s = 0; s < samples.size(); ++s) {
      const auto& others = samples[s].items();
      if (others.size() != model.size() || others[item].first != name)
        throw_usage("collate", "sample " + std::to_string(s) + " does not have the tensors of sample 0, in their order");
      const Tensor& tensor = others[item].second;
      if (!fits(tensor, first, padded) || tensor.device() != kCpu)
        throw_usage("collate",
                    "'" + name + "' is " + tensor.str() + " in sample " + std::to_string(s) + " but " + first.str() + " in sample 0",
                    padded ? "only the first axis may differ" : "name it in CollateOptions::pad where lengths may differ");
      lengths.push_back(padded ? tensor.size(0) : 1);
    }
    Shape shape = first.shape();
    const std::int64_t longest = *std::max_element(lengths.begin(), lengths.end());
    if (padded) shape[0] = longest;
    shape.insert(0, std::int64_t(samples.size()));
    Tensor out = Tensor::empty(shape, first.dtype());
    if (padded) out.fill(padding->second);
    const std::size_t row = out.nbytes() / samples.size();
    for (std::size_t s = 0; s < samples.size(); ++s) {
      const Tensor dense = samples[s].items()[item].second.contiguous();
      if (dense.nbytes() > 0) std::memcpy(static_cast<std::byte*>(out.raw()) + s * row, dense.raw(), dense.nbytes());
    }
    batch.set(name, out);
    if (!padded) continue;
    const std::string length_name = name + "_length";
    if (samples[0].contains(length_name)) throw_usage("collate", "the samples have a tensor '" + length_name + "' already");
    batch.set(length_name, Tensor::from(lengths, {std::int64_t(lengths.size())}));
  }
  return batch;
}

}  // namespace tenon::data

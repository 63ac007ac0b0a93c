#include "medical/tasks/atlas.hpp"

#include <algorithm>

#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::medical {
namespace {

constexpr std::size_t kChunk = 16;  // cases stretched at a time: bounds memory, and fixes the order of the sum

}  // namespace

Tensor build_atlas(const std::vector<Tensor>& labels, std::int64_t classes) {
  if (labels.empty()) throw_usage("build_atlas", "no labels");
  Size3 size{};
  for (int a = 0; a < 3; ++a) {
    std::vector<std::int64_t> sizes;
    for (const auto& l : labels) sizes.push_back(l.size(a));
    std::sort(sizes.begin(), sizes.end());
    const std::size_t half = sizes.size() / 2;
    size[std::size_t(a)] = sizes.size() % 2 ? sizes[half] : (sizes[half - 1] + sizes[half] + 1) / 2;
  }
  const Tensor atlas = Tensor::zeros(Shape{size[0], size[1], size[2], classes});
  const auto sum = atlas.span<float>();
  std::vector<Tensor> stretched(kChunk);
  for (std::size_t begin = 0; begin < labels.size(); begin += kChunk) {
    const std::size_t n = std::min(kChunk, labels.size() - begin);
    parallel_for(std::int64_t(n), [&](std::int64_t i) {
      const Tensor& label = labels[begin + std::size_t(i)];
      const Tensor hot = Tensor::zeros(Shape{label.size(0), label.size(1), label.size(2), classes});
      const auto from = label.span<std::uint8_t>();
      const auto to = hot.span<float>();
      for (std::size_t v = 0; v < from.size(); ++v) to[v * std::size_t(classes) + from[v]] = 1;
      stretched[std::size_t(i)] = resample_scores(hot, size).contiguous();
    });
    for (std::size_t i = 0; i < n; ++i) {
      const auto one = stretched[i].span<float>();
      for (std::size_t v = 0; v < sum.size(); ++v) sum[v] += one[v];
    }
  }
  for (float& v : sum) v /= float(labels.size());
  return atlas;
}

Tensor stretch_atlas(const Tensor& atlas, const Size3& size) { return resample_scores(atlas, size); }

}  // namespace tenon::medical

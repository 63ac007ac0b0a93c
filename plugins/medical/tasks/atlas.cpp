#include "medical/tasks/atlas.hpp"

#include <algorithm>
#include <cmath>

#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::medical {
namespace {

Size3 median_size(const std::vector<Tensor>& labels) {
  Size3 size{};
  for (int a = 0; a < 3; ++a) {
    std::vector<std::int64_t> sizes;
    for (const auto& l : labels) sizes.push_back(l.size(a));
    std::sort(sizes.begin(), sizes.end());
    const std::size_t half = sizes.size() / 2;
    size[std::size_t(a)] = sizes.size() % 2 ? sizes[half] : (sizes[half - 1] + sizes[half] + 1) / 2;
  }
  return size;
}

/// Where voxel i of n lies among m voxels when first and last coincide.
double place(std::int64_t i, std::int64_t n, std::int64_t m) {
  return n > 1 ? double(i) * double(m - 1) / double(n - 1) : 0;
}

}  // namespace

Tensor build_atlas(const std::vector<Tensor>& labels, std::int64_t classes) {
  if (labels.empty()) throw_usage("build_atlas", "no labels");
  const Size3 size = median_size(labels);
  const Tensor atlas = Tensor::zeros(Shape{size[0], size[1], size[2], classes});
  float* count = atlas.data<float>();
  const float share = 1.0f / float(labels.size());
  // A slab of the atlas a task, the cases in order within it: the same sums for any number of threads.
  parallel_for(size[0], [&](std::int64_t z) {
    for (const Tensor& label : labels) {
      const std::uint8_t* v = label.data<std::uint8_t>();
      const std::int64_t ny = label.size(1), nx = label.size(2);
      auto nearest = [&](std::int64_t i, int axis) {
        return std::int64_t(std::floor(place(i, size[std::size_t(axis)], label.size(axis)) + 0.5));
      };
      const std::int64_t slab = nearest(z, 0) * ny;
      for (std::int64_t y = 0; y < size[1]; ++y) {
        const std::uint8_t* row = v + (slab + nearest(y, 1)) * nx;
        float* out = count + (z * size[1] + y) * size[2] * classes;
        for (std::int64_t x = 0; x < size[2]; ++x) out[x * classes + row[nearest(x, 2)]] += share;
      }
    }
  });
  return atlas;
}

Tensor stretch_atlas(const Tensor& atlas, const Size3& size) {
  const std::int64_t classes = atlas.size(3), my = atlas.size(1), mx = atlas.size(2);
  const Tensor out = Tensor::empty(Shape{size[0], size[1], size[2], classes});
  const float* from = atlas.data<float>();
  float* to = out.data<float>();
  struct Step {
    std::int64_t low, high;
    float weight;
  };
  auto step = [&](std::int64_t i, int axis) {
    const double at = place(i, size[std::size_t(axis)], atlas.size(axis));
    const auto low = std::int64_t(at);
    return Step{low, std::min(low + 1, atlas.size(axis) - 1), float(at - double(low))};
  };
  for (std::int64_t z = 0; z < size[0]; ++z) {
    const Step sz = step(z, 0);
    for (std::int64_t y = 0; y < size[1]; ++y) {
      const Step sy = step(y, 1);
      const float* rows[4] = {from + (sz.low * my + sy.low) * mx * classes, from + (sz.low * my + sy.high) * mx * classes,
                              from + (sz.high * my + sy.low) * mx * classes, from + (sz.high * my + sy.high) * mx * classes};
      for (std::int64_t x = 0; x < size[2]; ++x) {
        const Step sx = step(x, 2);
        for (std::int64_t k = 0; k < classes; ++k) {
          float along[4];
          for (std::size_t r = 0; r < 4; ++r) {
            const float low = rows[r][sx.low * classes + k];
            along[r] = low + sx.weight * (rows[r][sx.high * classes + k] - low);
          }
          const float near = along[0] + sy.weight * (along[1] - along[0]), far = along[2] + sy.weight * (along[3] - along[2]);
          *to++ = near + sz.weight * (far - near);
        }
      }
    }
  }
  return out;
}

}  // namespace tenon::medical

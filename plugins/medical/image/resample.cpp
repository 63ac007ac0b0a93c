#include "medical/image/resample.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "medical/image/interpolation.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"
#include "tenon/windows.hpp"

namespace tenon::medical {
namespace {

void check(const char* op, const Tensor& values, int rank, DType dtype, const Size3& size, const std::array<int, 3>& order, int highest) {
  if (values.rank() != rank || values.dtype() != dtype) {
    throw_usage(op, "takes " + std::string(name_of(dtype)) + (rank == 3 ? " [z, y, x]" : " [z, y, x, C]") + ", got " + values.str());
  }
  for (std::size_t a = 0; a < 3; ++a) {
    if (size[a] < 1 || size[a] > (std::int64_t(1) << 20)) throw_usage(op, "size " + std::to_string(size[a]) + " is not in 1..2^20");
    if (values.size(int(a)) < 1) throw_usage(op, "the input is empty: " + values.str());
    if (order[a] != 0 && order[a] != 1 && !(order[a] == 3 && highest == 3)) {
      throw_usage(op, "order " + std::to_string(order[a]) + " is not known", highest == 3 ? "orders are 0, 1 and 3" : "orders are 0 and 1");
    }
  }
}

std::array<InterpolationTable, 3> tables_of(const Tensor& values, const Size3& size, const std::array<int, 3>& order) {
  std::array<InterpolationTable, 3> tables;
  // An axis that keeps its size has weights 1 at every order; order 0 says so without a second tap.
  for (std::size_t a = 0; a < 3; ++a) tables[a] = interpolation_table(values.size(int(a)), size[a], values.size(int(a)) == size[a] ? 0 : order[a]);
  return tables;
}

/// Interpolates [z, y, x, C] scores along z, then y, then x, one output slab at a time; `consume(z, y, line)` gets each
/// finished line [x, C].
template <class Consume> void score_lines(const Tensor& scores, const Size3& size, const std::array<int, 3>& order, Consume&& consume) {
  Tensor dense = scores.contiguous();
  auto tables = tables_of(dense, size, order);
  const float* data = dense.data<float>();
  std::int64_t ny = scores.size(1), nx = scores.size(2), nc = scores.size(3);
  parallel_for(size[0], [&](std::int64_t z) {
    std::vector<float> slab(std::size_t(ny * nx * nc)), row(std::size_t(nx * nc)), line(std::size_t(size[2] * nc));
    auto blend = [](const float* from, std::int64_t stride, const float* w, std::int64_t taps, std::int64_t n, float* to) {
      for (std::int64_t i = 0; i < n; ++i) to[i] = w[0] * from[i];
      for (std::int64_t t = 1; t < taps; ++t) {
        for (std::int64_t i = 0; i < n; ++i) to[i] += w[t] * from[t * stride + i];
      }
    };
    auto weights = [&](std::size_t a, std::int64_t d) { return tables[a].weights.data() + d * tables[a].taps; };
    std::int64_t plane = ny * nx * nc;
    blend(data + tables[0].start[std::size_t(z)] * plane, plane, weights(0, z), tables[0].taps, plane, slab.data());
    for (std::int64_t y = 0; y < size[1]; ++y) {
      blend(slab.data() + tables[1].start[std::size_t(y)] * nx * nc, nx * nc, weights(1, y), tables[1].taps, nx * nc, row.data());
      for (std::int64_t x = 0; x < size[2]; ++x) {
        blend(row.data() + tables[2].start[std::size_t(x)] * nc, nc, weights(2, x), tables[2].taps, nc, line.data() + x * nc);
      }
      consume(z, y, line.data());
    }
  });
}

template <class T> void take_nearest(const Tensor& from, const Tensor& to) {
  const T* in = static_cast<const T*>(from.raw());
  T* out = static_cast<T*>(to.raw());
  std::int64_t ny = to.size(1), nx = to.size(2);
  std::array<InterpolationTable, 3> t;
  for (int a = 0; a < 3; ++a) t[std::size_t(a)] = interpolation_table(from.size(a), to.size(a), 0);
  parallel_for(to.size(0), [&](std::int64_t z) {
    for (std::int64_t y = 0; y < ny; ++y) {
      const T* line = in + (t[0].start[std::size_t(z)] * from.size(1) + t[1].start[std::size_t(y)]) * from.size(2);
      for (std::int64_t x = 0; x < nx; ++x) out[(z * ny + y) * nx + x] = line[t[2].start[std::size_t(x)]];
    }
  });
}

/// Order 0 for any element type, without passing through f32.
Tensor nearest(const Tensor& values, const Size3& size) {
  Tensor dense = values.contiguous(), out = Tensor::empty({size[0], size[1], size[2]}, values.dtype());
  switch (size_of(values.dtype())) {
    case 1: take_nearest<std::uint8_t>(dense, out); break;
    case 2: take_nearest<std::uint16_t>(dense, out); break;
    case 4: take_nearest<std::uint32_t>(dense, out); break;
    default: take_nearest<std::uint64_t>(dense, out); break;
  }
  return out;
}

}  // namespace

Size3 size_at_spacing(const Geometry& geometry, const std::array<double, 3>& spacing) {
  auto old = geometry.spacing();
  Size3 out;
  for (std::size_t a = 0; a < 3; ++a) {
    if (!(spacing[a] > 0) || !std::isfinite(spacing[a])) throw_usage("resample", "spacing " + std::to_string(spacing[a]) + " mm is not positive");
    double exact = old[a] / spacing[a] * double(geometry.size[a]);
    if (exact > double(1 << 20)) throw_usage("resample", "spacing " + std::to_string(spacing[a]) + " mm gives more than 2^20 voxels on an axis");
    out[2 - a] = std::max<std::int64_t>(1, std::int64_t(std::nearbyint(exact)));
  }
  return out;
}

Geometry resized(const Geometry& geometry, const Size3& size) {
  Geometry out = geometry;
  std::array<double, 3> shift;
  for (std::size_t a = 0; a < 3; ++a) {
    double scale = double(geometry.size[a]) / double(size[2 - a]);
    out.size[a] = size[2 - a];
    shift[a] = 0.5 * scale - 0.5;
    for (std::size_t r = 0; r < 3; ++r) out.to_ras[r][a] = geometry.to_ras[r][a] * scale;
  }
  auto origin = geometry.point(shift[0], shift[1], shift[2]);
  for (std::size_t r = 0; r < 3; ++r) out.to_ras[r][3] = origin[r];
  return out;
}

Tensor resample(const Tensor& image, const Size3& size, const std::array<int, 3>& order) {
  check("resample", image, 3, DType::f32, size, order, 3);
  std::array<std::size_t, 3> axes{0, 1, 2};
  // Axes that shrink come first: fewer voxels for the rest.
  auto ratio = [&](std::size_t a) { return double(size[a]) / double(image.size(int(a))); };
  std::stable_sort(axes.begin(), axes.end(), [&](std::size_t a, std::size_t b) { return ratio(a) < ratio(b); });
  Tensor now = image.contiguous();
  for (std::size_t a : axes) {
    std::int64_t n_in = now.size(int(a)), n_out = size[a];
    if (n_in == n_out) continue;
    std::int64_t outer = 1, inner = 1;
    for (int b = 0; b < int(a); ++b) outer *= now.size(b);
    for (int b = int(a) + 1; b < 3; ++b) inner *= now.size(b);
    if (order[a] == 3 && n_in > 1) {
      if (now.storage() == image.storage()) now = now.clone();
      bspline_prefilter(now.data<float>(), outer, n_in, inner);
    }
    Shape shape = now.shape();
    shape[int(a)] = n_out;
    Tensor next = Tensor::empty(shape);
    interpolate_axis(now.data<float>(), next.data<float>(), outer, n_in, n_out, inner, interpolation_table(n_in, n_out, order[a]));
    now = next;
  }
  return now.storage() == image.storage() ? now.clone() : now;
}

Tensor resample_labels(const Tensor& labels, const Size3& size, const std::array<int, 3>& order) {
  check("resample_labels", labels, 3, DType::u8, size, order, 1);
  Tensor dense = labels.contiguous(), out = Tensor::empty({size[0], size[1], size[2]}, DType::u8);
  auto tables = tables_of(dense, size, order);
  const std::uint8_t* data = dense.data<std::uint8_t>();
  std::uint8_t* to = out.data<std::uint8_t>();
  std::int64_t ny = labels.size(1), nx = labels.size(2);
  const auto& [tz, ty, tx] = tables;
  parallel_for(size[0], [&, &tz = tz, &ty = ty, &tx = tx](std::int64_t z) {
    for (std::int64_t y = 0; y < size[1]; ++y) {
      for (std::int64_t x = 0; x < size[2]; ++x) {
        std::uint8_t label[8];
        float weight[8];
        int n = 0;
        for (std::int64_t a = 0; a < tz.taps; ++a) {
          for (std::int64_t b = 0; b < ty.taps; ++b) {
            float w = tz.weights[std::size_t(z * tz.taps + a)] * ty.weights[std::size_t(y * ty.taps + b)];
            const std::uint8_t* line = data + ((tz.start[std::size_t(z)] + a) * ny + ty.start[std::size_t(y)] + b) * nx + tx.start[std::size_t(x)];
            for (std::int64_t c = 0; c < tx.taps; ++c) {
              int found = 0;
              while (found < n && label[found] != line[c]) ++found;
              if (found == n) label[n] = line[c], weight[n++] = 0;
              weight[found] += w * tx.weights[std::size_t(x * tx.taps + c)];
            }
          }
        }
        int best = 0;
        for (int i = 1; i < n; ++i) {
          if (weight[i] > weight[best] || (weight[i] == weight[best] && label[i] < label[best])) best = i;
        }
        to[(z * size[1] + y) * size[2] + x] = label[best];
      }
    }
  });
  return out;
}

Tensor resample_argmax(const Tensor& scores, const Size3& size, const std::array<int, 3>& order) {
  check("resample_argmax", scores, 4, DType::f32, size, order, 1);
  std::vector<ResizeMode> modes;
  for (int o : order) modes.push_back(o == 0 ? ResizeMode::nearest : ResizeMode::linear);
  const std::vector<std::int64_t> sizes{size[0], size[1], size[2]};
  try {
    return resize_argmax(scores.contiguous(), sizes, modes).to(kCpu);
  } catch (const Error& e) {  // the scan's own grid may be much finer than the model's
    if (scores.device() == kCpu || e.code() != "memory.exhausted") throw;
    return resize_argmax(scores.to(kCpu).contiguous(), sizes, modes);
  }
}

Tensor resample_scores(const Tensor& scores, const Size3& size, const std::array<int, 3>& order) {
  check("resample_scores", scores, 4, DType::f32, size, order, 1);
  std::int64_t nc = scores.size(3);
  Tensor out = Tensor::empty({size[0], size[1], size[2], nc});
  float* to = out.data<float>();
  score_lines(scores, size, order, [&](std::int64_t z, std::int64_t y, const float* line) {
    std::copy_n(line, size[2] * nc, to + (z * size[1] + y) * size[2] * nc);
  });
  return out;
}

std::array<int, 3> anisotropic_order(const std::array<double, 3>& current, const std::array<double, 3>& target, int order) {
  auto uneven = [](const std::array<double, 3>& s) { return *std::max_element(s.begin(), s.end()) > 3 * *std::min_element(s.begin(), s.end()); };
  std::array<int, 3> out{order, order, order};
  if (!uneven(current) && !uneven(target)) return out;
  const auto& s = uneven(current) ? current : target;
  double coarsest = *std::max_element(s.begin(), s.end());
  // Two axes equally coarse (.24 x 1.25 x 1.25) have no plane of their own: all in 3D, as nnU-Net does.
  if (std::count(s.begin(), s.end(), coarsest) > 1) return out;
  out[std::size_t(2 - (std::max_element(s.begin(), s.end()) - s.begin()))] = 0;
  return out;
}

Volume resample_to_spacing(const Volume& volume, const std::array<double, 3>& spacing, int order) {
  Size3 size = size_at_spacing(volume.geometry, spacing);
  if (volume.values.rank() != 3) throw_usage("resample", "takes one volume [z, y, x], got " + volume.values.str());
  Volume out{{}, resized(volume.geometry, size), volume.attributes};
  out.attributes.erase("nifti.header");
  out.attributes.erase("nifti.extensions");
  out.values = order == 0 ? nearest(volume.values, size) : resample(volume.values.to(DType::f32), size, order);
  return out;
}

}  // namespace tenon::medical

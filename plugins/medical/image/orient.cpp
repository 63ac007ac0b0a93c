#include "medical/image/orient.hpp"

#include <cmath>
#include <cstring>

#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::medical {
namespace {

constexpr char kPositive[] = "RAS", kNegative[] = "LPI";

/// For each grid axis the world axis it is nearest to: the permutation with the largest sum of |cosines|.
std::array<int, 3> nearest_world_axes(const Geometry& geometry) {
  auto d = geometry.direction();
  static constexpr int kOrders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  const int* best = kOrders[0];
  double best_sum = -1;
  for (const auto& order : kOrders) {
    double sum = 0;
    for (std::size_t c = 0; c < 3; ++c) sum += std::abs(d[std::size_t(order[c])][c]);
    if (sum > best_sum + 1e-12) best = order, best_sum = sum;
  }
  return {best[0], best[1], best[2]};
}

template <class T> void copy_lines(const Tensor& from, const Tensor& to, const Orientation& how) {
  const T* source = static_cast<const T*>(from.raw());
  T* target = static_cast<T*>(to.raw());
  int lead = from.rank() - 3;
  std::array<std::int64_t, 3> in_size, out_size, in_stride;
  for (int a = 0; a < 3; ++a) {
    in_size[std::size_t(a)] = from.size(lead + 2 - a);
    out_size[std::size_t(a)] = to.size(lead + 2 - a);
  }
  in_stride = {1, in_size[0], in_size[0] * in_size[1]};
  std::array<std::int64_t, 3> step;
  std::int64_t start = 0, volume = in_size[0] * in_size[1] * in_size[2];
  for (std::size_t a = 0; a < 3; ++a) {
    std::int64_t stride = in_stride[std::size_t(how.axis[a])];
    step[a] = how.flip[a] ? -stride : stride;
    if (how.flip[a]) start += stride * (out_size[a] - 1);
  }
  std::int64_t times = lead ? from.size(0) : 1;
  parallel_for(times * out_size[2], [&](std::int64_t slab) {
    std::int64_t t = slab / out_size[2], z = slab % out_size[2];
    for (std::int64_t y = 0; y < out_size[1]; ++y) {
      const T* line = source + t * volume + start + z * step[2] + y * step[1];
      T* out = target + t * volume + (z * out_size[1] + y) * out_size[0];
      for (std::int64_t x = 0; x < out_size[0]; ++x) out[x] = line[x * step[0]];
    }
  });
}

}  // namespace

std::string Geometry::orientation() const {
  auto world = nearest_world_axes(*this);
  std::string codes;
  for (std::size_t c = 0; c < 3; ++c) {
    auto w = std::size_t(world[c]);
    codes += to_ras[w][c] >= 0 ? kPositive[w] : kNegative[w];
  }
  return codes;
}

Orientation Orientation::inverse() const {
  Orientation out;
  for (std::size_t a = 0; a < 3; ++a) {
    out.axis[std::size_t(axis[a])] = int(a);
    out.flip[std::size_t(axis[a])] = flip[a];
  }
  return out;
}

Orientation orientation_to(const Geometry& geometry, const std::string& codes) {
  std::array<int, 3> wanted{-1, -1, -1};
  std::array<bool, 3> negative{};
  bool valid = codes.size() == 3;
  int seen = 0;
  for (std::size_t a = 0; valid && a < 3; ++a) {
    for (std::size_t w = 0; w < 3; ++w) {
      if (codes[a] == kPositive[w] || codes[a] == kNegative[w]) wanted[a] = int(w), negative[a] = codes[a] == kNegative[w], seen |= 1 << w;
    }
  }
  if (!valid || seen != 7) {
    throw Error(ErrorKind::usage, "medical.orientation", "'" + codes + "' is not an orientation",
                "give one letter each of R/L, A/P and S/I, such as RAS or LPS");
  }
  auto world = nearest_world_axes(geometry);
  Orientation out;
  for (std::size_t a = 0; a < 3; ++a) {
    for (std::size_t c = 0; c < 3; ++c) {
      if (world[c] != wanted[a]) continue;
      out.axis[a] = int(c);
      out.flip[a] = (geometry.to_ras[std::size_t(world[c])][c] < 0) != negative[a];
    }
  }
  return out;
}

Geometry reorient(const Geometry& geometry, const Orientation& how) {
  Geometry out;
  for (std::size_t r = 0; r < 3; ++r) out.to_ras[r][3] = geometry.to_ras[r][3];
  for (std::size_t a = 0; a < 3; ++a) {
    auto from = std::size_t(how.axis[a]);
    out.size[a] = geometry.size[from];
    for (std::size_t r = 0; r < 3; ++r) {
      double column = geometry.to_ras[r][from];
      out.to_ras[r][a] = how.flip[a] ? -column : column;
      if (how.flip[a]) out.to_ras[r][3] += column * double(geometry.size[from] - 1);
    }
  }
  return out;
}

Tensor reorient(const Tensor& values, const Orientation& how) {
  if (values.rank() != 3 && values.rank() != 4) throw_usage("reorient", "takes [z, y, x] or [t, z, y, x], got " + values.str());
  if (how.identity()) return values;
  Tensor dense = values.contiguous();
  int lead = values.rank() - 3;
  Shape shape = values.shape();
  for (int a = 0; a < 3; ++a) shape[lead + 2 - a] = values.size(lead + 2 - how.axis[std::size_t(a)]);
  Tensor out = Tensor::empty(shape, values.dtype());
  switch (size_of(values.dtype())) {
    case 1: copy_lines<std::uint8_t>(dense, out, how); break;
    case 2: copy_lines<std::uint16_t>(dense, out, how); break;
    case 4: copy_lines<std::uint32_t>(dense, out, how); break;
    default: copy_lines<std::uint64_t>(dense, out, how); break;
  }
  return out;
}

Volume reorient(const Volume& volume, const Orientation& how) {
  if (how.identity()) return volume;
  Volume out{reorient(volume.values, how), reorient(volume.geometry, how), volume.attributes};
  out.attributes.erase("nifti.header");
  out.attributes.erase("nifti.extensions");
  return out;
}

}  // namespace tenon::medical

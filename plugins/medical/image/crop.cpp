#include "medical/image/crop.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::medical {
namespace {

void require_rank_3(const char* op, const Tensor& values) {
  if (values.rank() != 3) throw_usage(op, "takes [z, y, x], got " + values.str());
}

void require_inside(const char* op, const Box& box, const std::array<std::int64_t, 3>& full) {
  for (std::size_t a = 0; a < 3; ++a) {
    if (box.low[a] < 0 || box.low[a] >= box.high[a] || box.high[a] > full[a]) {
      throw Error(ErrorKind::usage, "medical.box",
                  std::string(op) + ": box " + std::to_string(box.low[a]) + ".." + std::to_string(box.high[a]) + " on axis " +
                      "zyx"[a] + " does not lie in 0.." + std::to_string(full[a]));
    }
  }
}

template <class T> Box box_of(const Tensor& values) {
  const T* data = static_cast<const T*>(values.raw());
  std::int64_t nz = values.size(0), ny = values.size(1), nx = values.size(2);
  std::vector<Box> slabs(std::size_t(nz), Box{});
  parallel_for(nz, [&](std::int64_t z) {
    Box b{{z, ny, nx}, {z, 0, 0}};
    for (std::int64_t y = 0; y < ny; ++y) {
      const T* line = data + (z * ny + y) * nx;
      std::int64_t first = 0, last = nx;
      while (first < nx && line[first] == T(0)) ++first;
      if (first == nx) continue;
      while (line[last - 1] == T(0)) --last;
      b.low = {z, std::min(b.low[1], y), std::min(b.low[2], first)};
      b.high = {z + 1, y + 1, std::max(b.high[2], last)};
    }
    slabs[std::size_t(z)] = b;
  });
  Box all{{nz, ny, nx}, {0, 0, 0}};
  for (const Box& b : slabs) {
    if (b.high[0] == b.low[0]) continue;
    for (std::size_t a = 0; a < 3; ++a) all.low[a] = std::min(all.low[a], b.low[a]), all.high[a] = std::max(all.high[a], b.high[a]);
  }
  return all.high[0] == 0 ? Box{{0, 0, 0}, {nz, ny, nx}} : all;
}

}  // namespace

Box nonzero_box(const Tensor& values) {
  require_rank_3("nonzero_box", values);
  Tensor dense = values.contiguous();
  switch (values.dtype()) {
    case DType::f32: return box_of<float>(dense);
    case DType::f64: return box_of<double>(dense);
    case DType::i8: return box_of<std::int8_t>(dense);
    case DType::i16: return box_of<std::int16_t>(dense);
    case DType::i32: return box_of<std::int32_t>(dense);
    case DType::i64: return box_of<std::int64_t>(dense);
    case DType::u8:
    case DType::boolean: return box_of<std::uint8_t>(dense);
    default: return box_of<float>(dense.to(DType::f32));
  }
}

Tensor crop(const Tensor& values, const Box& box) {
  require_rank_3("crop", values);
  require_inside("crop", box, {values.size(0), values.size(1), values.size(2)});
  auto size = box.size();
  return values.narrow(0, box.low[0], size[0]).narrow(1, box.low[1], size[1]).narrow(2, box.low[2], size[2]).clone();
}

Tensor uncrop(const Tensor& values, const Box& box, const std::array<std::int64_t, 3>& full, double fill) {
  require_rank_3("uncrop", values);
  require_inside("uncrop", box, full);
  auto size = box.size();
  if (values.shape() != Shape{size[0], size[1], size[2]}) throw_usage("uncrop", "values " + values.str() + " do not fill the box");
  Tensor out = Tensor::full({full[0], full[1], full[2]}, fill, values.dtype());
  out.narrow(0, box.low[0], size[0]).narrow(1, box.low[1], size[1]).narrow(2, box.low[2], size[2]).assign(values);
  return out;
}

Volume crop(const Volume& volume, const Box& box) {
  Volume out{crop(volume.values, box), volume.geometry, volume.attributes};
  auto size = box.size();
  auto origin = volume.geometry.point(double(box.low[2]), double(box.low[1]), double(box.low[0]));
  out.geometry.size = {size[2], size[1], size[0]};
  for (std::size_t r = 0; r < 3; ++r) out.geometry.to_ras[r][3] = origin[r];
  if (out.geometry.size != volume.geometry.size) out.attributes.erase("nifti.header"), out.attributes.erase("nifti.extensions");
  return out;
}

}  // namespace tenon::medical

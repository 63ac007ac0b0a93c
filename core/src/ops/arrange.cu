#include "backend/cuda/install.hpp"
#include "backend/cuda/words.cuh"
#include "ops/arrange_kernels.hpp"

namespace tenon::cuda {
namespace {

Kernel make_roll(const Rotation& p) {
  LinearMap map;
  for (int a = 0; a < p.shape.rank(); ++a) map.add_axis(p.shape[a], p.shape[a], -p.shift[a], false, true);
  return [map, elements = p.shape.numel(), bytes = p.element](void* const* o) {
    run_map("roll", o[0], o[1], elements, bytes, map, FillPattern(0, 1));
  };
}

struct TriangleMap {
  LongDivider columns, rows;
  std::int64_t diagonal;
  bool lower;
  __device__ std::int64_t operator()(std::int64_t e) const {
    std::int64_t column = e, row = columns.split(column);
    rows.split(row);
    const bool kept = lower ? column <= row + diagonal : column >= row + diagonal;
    return kept ? e : -1;
  }
};

Kernel make_triangle(const Triangle& p) {
  const TriangleMap map{LongDivider(p.columns), LongDivider(p.rows), p.diagonal, p.lower};
  return [map, elements = p.matrices * p.rows * p.columns, bytes = p.element, name = p.lower ? "tril" : "triu"](void* const* o) {
    run_map(name, o[0], o[1], elements, bytes, map, FillPattern(0, 1));
  };
}

}  // namespace

void install_arrange() {
  roll_kernel.set(DeviceType::cuda, make_roll);
  triangle_kernel.set(DeviceType::cuda, make_triangle);
}

}  // namespace tenon::cuda

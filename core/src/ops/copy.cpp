#include "ops/copy.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "backend/cpu/strided.hpp"
#include "backend/cpu/strided_move.hpp"
#include "backend/cpu/tiles.hpp"
#include "kernels/complex.hpp"
#include "ops/dispatch.hpp"
#include "ops/element_op.hpp"

namespace tenon {
namespace {

/// Elements of one type, moved as bytes.
Kernel move_elements(const Layout& from, const Layout& to) {
  cpu::StridedMove move(from.shape, from.strides, to.strides, std::int64_t(size_of(from.dtype)));
  return [move](void* const* p) { move.run(p[0], p[1]); };
}

/// Loaded as the type in which `from` is computed, which is exact, and converted from there; at once where there is a loop for both types and both are dense.
template <class C> Kernel convert_elements(const Layout& from, const Layout& to) {
  cpu::StridedLoop<2> loop(from.shape, {from.strides, to.strides});
  const cpu::LoadTile<C> load = cpu::tile_loader<C>(from.dtype);
  const cpu::StoreTile<C> store = cpu::tile_storer<C>(to.dtype);
  return [=, in = from.dtype, out = to.dtype, direct = cpu::range_converter(from.dtype, to.dtype)](void* const* p) {
    loop.run_blocks([&](const cpu::Block<2>& block) {
      const std::int64_t count = block.count();
      if (direct && block.lines(0).dense() && block.lines(1).dense())
        return direct(static_cast<const char*>(p[0]) + block.at[0] * std::int64_t(size_of(in)), static_cast<char*>(p[1]) + block.at[1] * std::int64_t(size_of(out)), count);
      alignas(64) C tile[cpu::kTile];
      cpu::TileSource<C> x(in, load, p[0], block.at[0], block.lines(0), cpu::is_computed(in));
      const cpu::TileTarget<C> y(out, store, p[1], block.at[1], block.lines(1), false);
      const std::int64_t cut = block.lines(0).cut(cpu::kTile);
      for (std::int64_t i = 0; i < count; i += cut) {
        const std::int64_t m = std::min(cut, count - i);
        y.put(x.tile(i, m, tile), i, m);
      }
    });
  };
}

Kernel make_copy(const Layout& from, const Layout& to) {
  if (from.dtype == to.dtype) return move_elements(from, to);
  switch (from.dtype) {
    case DType::f32:
    case DType::f16:
    case DType::bf16: return convert_elements<float>(from, to);
    case DType::f64: return convert_elements<double>(from, to);
    case DType::c64: return convert_elements<kernels::Complex<float>>(from, to);
    case DType::c128: return convert_elements<kernels::Complex<double>>(from, to);
    default: return convert_elements<std::int64_t>(from, to);
  }
}

Kernel make_fill(const Layout& to, double value) {
  alignas(16) std::array<std::byte, 16> element{};
  cpu::tile_storer<double>(to.dtype)(&value, element.data(), 1, 1);
  return dispatch_size(to.dtype, [&](auto tag) -> Kernel {
    using Bytes = typename decltype(tag)::type;
    Bytes bits;
    std::memcpy(&bits, element.data(), sizeof bits);
    cpu::StridedLoop<1> loop(to.shape, {to.strides});
    return [loop, bits](void* const* p) {
      loop.run([&](const auto& at, const auto& step, std::int64_t n) {
        Bytes* q = static_cast<Bytes*>(p[0]) + at[0];
        if (step[0] == 1) {
          std::fill(q, q + n, bits);
        } else {
          for (std::int64_t i = 0; i < n; ++i) q[i * step[0]] = bits;
        }
      });
    };
  });
}

Kernel make_casts(const std::vector<Cast>& casts) {
  std::vector<Kernel> each;
  for (const Cast& c : casts) {
    Layout from, to;
    from.shape = to.shape = Shape{c.count};
    from.strides = to.strides = Shape{1};
    from.dtype = c.from, to.dtype = c.to;
    each.push_back(make_copy(from, to));
  }
  return [each = std::move(each)](void* const* p) {
    for (std::size_t i = 0; i < each.size(); ++i) {
      void* const operands[] = {p[i], p[each.size() + i]};
      each[i](operands);
    }
  };
}

}  // namespace

KernelSlot<const Layout&, const Layout&> copy_kernel{"copy", make_copy};
KernelSlot<const Layout&, double> fill_kernel{"fill", make_fill};
KernelSlot<const std::vector<Cast>&> casts_kernel{"casts", make_casts};

void copy_strided(const Tensor& from, const Tensor& to) {
  Kernel kernel = copy_kernel(to.device(), Layout(from), Layout(to));
  const Shape& strides = from.strides();
  const bool constant = std::all_of(strides.begin(), strides.end(), [](std::int64_t s) { return s == 0; });
  if (!from.is_contiguous() && !constant) return launch("copy", {from}, {to}, std::move(kernel));  // moved by its own kernels
  launch_elementwise("copy", {from}, to, std::move(kernel), {.kind = ElementOp::Kind::convert, .strides = {strides}});
}

void fill_strided(const Tensor& to, double value) {
  launch_elementwise("fill", {}, to, fill_kernel(to.device(), Layout(to), value), {.kind = ElementOp::Kind::fill});
}

}  // namespace tenon

#include "ops/masking.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "autograd/backward_scope.hpp"
#include "ops/check.hpp"
#include "ops/dispatch.hpp"
#include "ops/mask_kernels.hpp"
#include "tenon/autograd.hpp"
#include "tenon/indexing.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"

namespace tenon {
namespace {

// ---- CPU kernels -------------------------------------------------------------------------------------------------

Kernel make_count(std::int64_t n) {
  return [n](void* const* o) {
    const auto* mask = static_cast<const std::uint8_t*>(o[0]);
    auto* counts = static_cast<std::int64_t*>(o[1]);
    parallel_blocks(n, kMaskBlock, [&](std::int64_t begin, std::int64_t end) {
      std::int64_t count = 0;
      for (std::int64_t i = begin; i < end; ++i) count += mask[i] != 0;
      counts[begin / kMaskBlock] = count;
    });
  };
}

/// The top bit of every byte that is not 0. Memory of another library may hold other bytes than 0 and 1.
std::uint64_t true_bytes(std::uint64_t eight) {
  constexpr std::uint64_t low = 0x7f7f7f7f7f7f7f7f;
  return (((eight & low) + low) | eight) & ~low;
}

/// body(position) for every true element of [begin, end), eight bytes at a time.
template <class F>
void for_true(const std::uint8_t* mask, std::int64_t begin, std::int64_t end, F&& body) {
  static_assert(std::endian::native == std::endian::little);
  for (; begin < end; begin += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, mask + begin, std::size_t(std::min<std::int64_t>(8, end - begin)));
    for (eight = true_bytes(eight); eight; eight &= eight - 1) body(begin + std::countr_zero(eight) / 8);
  }
}

Kernel make_positions(const Shape& shape, bool coordinates) {
  return [shape, coordinates](void* const* o) {
    const auto* mask = static_cast<const std::uint8_t*>(o[0]);
    const auto* before = static_cast<const std::int64_t*>(o[1]);
    auto* positions = static_cast<std::int64_t*>(o[2]);
    const int rank = shape.rank();
    parallel_blocks(shape.numel(), kMaskBlock, [&](std::int64_t begin, std::int64_t end) {
      std::int64_t* out = positions + before[begin / kMaskBlock] * (coordinates ? rank : 1);
      if (!coordinates) return for_true(mask, begin, end, [&](std::int64_t i) { *out++ = i; });
      std::int64_t lead[kMaxRank] = {}, row = -1, row_start = 0, row_end = 0;
      for_true(mask, begin, end, [&](std::int64_t i) {
        if (i >= row_end) {
          row = rank ? i / shape[-1] : 0;
          row_start = rank ? row * shape[-1] : 0;
          row_end = rank ? row_start + shape[-1] : 1;
          for (int a = rank - 2; a >= 0; row /= shape[a], --a) lead[a] = row % shape[a];
        }
        for (int a = 0; a + 1 < rank; ++a) *out++ = lead[a];
        if (rank) *out++ = i - row_start;
      });
    });
  };
}

// ---- checks --------------------------------------------------------------------------------------------------------

/// The mask with the axes of x; it may not widen x.
Tensor spread_mask(const char* op, const Tensor& x, const Tensor& mask) {
  check_defined(op, x, "x");
  check_defined(op, mask, "the mask");
  if (mask.dtype() != DType::boolean) throw_usage(op, "the mask " + mask.str() + " is not bool", "compare, for example with greater()");
  check_same_device(op, x, mask);
  if (Shape::broadcast(x.shape(), mask.shape(), op) != x.shape())
    throw_usage(op, "mask " + mask.str() + " has more elements than x " + x.str(), "expand x first");
  return mask.expand(x.shape());
}

void check_representable(const char* op, double value, DType t) {
  const bool holds = has_gradient(t) || dispatch_all(t, [&](auto tag) {
                       using T = typename decltype(tag)::type;
                       if constexpr (std::is_integral_v<T>) {
                         constexpr double low = double(std::numeric_limits<T>::min());
                         constexpr double past = 2.0 * double(std::uint64_t(std::numeric_limits<T>::max()) / 2 + 1);
                         return value >= low && (std::is_same_v<T, bool> ? value <= 1 : value < past) && value == std::floor(value);
                       } else {
                         return true;
                       }
                     });
  if (!holds)
    throw_usage(op, std::to_string(value) + " is no value of " + std::string(name_of(t)), "convert x with .to(), or give another value");
}

}  // namespace

KernelSlot<std::int64_t> mask_count_kernel("nonzero", make_count);
KernelSlot<const Shape&, bool> mask_positions_kernel("nonzero", make_positions);

Tensor true_positions(const char* op, const Tensor& mask_given, bool coordinates) {
  if (is_recording())
    throw_usage(op, "the shape of its result depends on values, which are not known while a step is being recorded",
                "use where() or masked_fill()");
  Tensor mask = mask_given.contiguous();
  const std::int64_t n = mask.numel(), blocks = mask_blocks(n);
  Tensor counts = Tensor::empty({blocks}, DType::i64, mask.device());
  if (n) launch(op, {mask}, {counts}, mask_count_kernel(mask.device(), n));
  std::vector<std::int64_t> before(std::size_t(blocks), 0);
  counts.copy_to_host(before.data(), counts.nbytes());
  std::int64_t total = 0;
  for (std::int64_t& b : before) total += std::exchange(b, total);
  Tensor starts = Tensor::from(before, {blocks}).to(mask.device());
  Tensor out = Tensor::empty(coordinates ? Shape{total, mask.rank()} : Shape{total}, DType::i64, mask.device());
  if (total) launch(op, {mask, starts}, {out}, mask_positions_kernel(mask.device(), mask.shape(), coordinates));
  return out;
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, double value) {
  spread_mask("masked_fill", x, mask);
  check_representable("masked_fill", value, x.dtype());
  std::optional<DetectorPause> infinities_are_meant;
  if (!std::isfinite(value)) infinities_are_meant.emplace();
  return where(mask, Tensor::full({}, value, x.dtype(), x.device()), x);
}

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  return take(x, true_positions("masked_select", spread_mask("masked_select", x, mask), false));
}

Tensor nonzero(const Tensor& x) {
  check_defined("nonzero", x, "x");
  if (is_complex(x.dtype())) throw_usage("nonzero", x.str() + " is complex", "take abs(z)");
  NoGrad off;
  return true_positions("nonzero", x.to(DType::boolean), true);
}

}  // namespace tenon

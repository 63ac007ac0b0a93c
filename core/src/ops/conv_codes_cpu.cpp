/// The CPU kernels of conv_codes: samples in parallel; gradients in pieces of samples, added in order.
#include <algorithm>

#include "ops/conv_codes_kernels.hpp"

#define TENON_ISA_FILE "ops/simd/conv_codes.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kBlock = 4096;  ///< numbers of the table that one task adds up

template <class T>
Kernel forward(const CodeRows& p) {
  auto add = TENON_BY_ISA(add_codes<T>);
  return [p, add](void* const* o) {
    const T* table = static_cast<const T*>(o[0]);
    const auto* codes = static_cast<const std::uint8_t*>(o[1]);
    const T* bias = p.bias ? static_cast<const T*>(o[2]) : nullptr;
    T* y = static_cast<T*>(o[3]);
    parallel_for(p.samples, [&](std::int64_t n) { add(p, table, codes + n * p.length, bias, y + n * p.positions() * p.channels); });
  };
}

template <class T>
Kernel gradient(const CodeRows& p) {
  auto add = TENON_BY_ISA(add_code_gradients<T>);
  return [p, add](void* const* o) {
    const T* d_y = static_cast<const T*>(o[0]);
    const auto* codes = static_cast<const std::uint8_t*>(o[1]);
    T *d_table = static_cast<T*>(o[2]), *parts = static_cast<T*>(o[3]);
    const std::int64_t size = p.table(), pieces = p.pieces();
    parallel_for(pieces, [&](std::int64_t i) {
      T* part = parts + i * size;
      std::fill(part, part + size, T(0));
      for (std::int64_t n = i * p.piece(); n < std::min((i + 1) * p.piece(), p.samples); ++n)
        add(p, d_y + n * p.positions() * p.channels, codes + n * p.length, part);
    });
    parallel_blocks(size, kBlock, [&](std::int64_t begin, std::int64_t end) {
      std::copy(parts + begin, parts + end, d_table + begin);
      for (std::int64_t i = 1; i < pieces; ++i)
        for (std::int64_t j = begin; j < end; ++j) d_table[j] += parts[i * size + j];
    });
  };
}

}  // namespace

KernelSlot<const CodeRows&> conv_codes_kernel("conv_codes", [](const CodeRows& p) -> Kernel {
  return p.dtype == DType::f64 ? forward<double>(p) : forward<float>(p);
});
KernelSlot<const CodeRows&> conv_codes_gradient_kernel("conv_codes.gradient", [](const CodeRows& p) -> Kernel {
  return p.dtype == DType::f64 ? gradient<double>(p) : gradient<float>(p);
});

}  // namespace tenon

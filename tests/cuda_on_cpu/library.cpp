// The kernels that come from NVIDIA's libraries (core/src/backend/cuda/library) have no source to run here, but for passes of ours around their calls, which run on a device alone. In their place stand the CPU's
// ("device" memory is host memory) and plain loops. Where a library only takes over what it does faster, our own kernels stay.
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "backend/cuda/conv_own.hpp"
#include "backend/cuda/install.hpp"
#include "backend/cuda/long_rows.hpp"
#include "backend/cuda/product.hpp"
#include "epilogues.hpp"
#include "kernels/activation.hpp"
#include "kernels/types.hpp"
#include "memory.hpp"
#include "ops/convert.hpp"
#include "ops/dispatch.hpp"
#include "ops/matmul_kernels.hpp"

namespace tenon::cuda {
namespace {

/// Summed in double; the bias is f32, or f64 for f64.
template <class In, class Out>
void multiply(const ProductShape& s, const In* a, const In* b, const void* bias, Out* c) {
  using Bias = Acc<In>;
  for (std::int64_t i = 0; i < s.m; ++i)
    for (std::int64_t j = 0; j < s.n; ++j) {
      double sum = s.bias ? double(static_cast<const Bias*>(bias)[j]) : s.add ? convert<double>(c[i * s.n + j]) : 0.0;
      for (std::int64_t k = 0; k < s.k; ++k) sum += double(Bias(a[i * s.a_row + k * s.a_col])) * double(Bias(b[k * s.b_row + j * s.b_col]));
      c[i * s.n + j] = convert<Out>(Bias(sum));
    }
}

using on_cpu::Fault;

/// A product with an epilogue, as cuBLASLt lays out what an activation keeps: of ReLU a bit a value, the first one the lowest of its byte. Sums and
/// activation are f32, rounded once.
template <class T>
void multiply_fused(const ProductShape& s, const FusedOperands& o, Fault fault) {
  const auto *a = static_cast<const T*>(o.a), *b = static_cast<const T*>(o.b);
  const std::int64_t row = auxiliary_row(s.epilogue, s.n);
  auto* inputs = static_cast<T*>(o.auxiliary);
  auto* bits = static_cast<std::uint8_t*>(o.auxiliary);
  auto* sums = static_cast<float*>(o.sums);
  const bool gelu = s.epilogue == Epilogue::gelu_tanh || s.epilogue == Epilogue::gelu_tanh_gradient;
  if (s.auxiliary && !gelu) std::fill_n(bits, s.m * row / 8, std::uint8_t(0));
  std::vector<double> columns(std::size_t(s.n), 0.0);
  for (std::int64_t i = 0; i < s.m; ++i)
    for (std::int64_t j = 0; j < s.n; ++j) {
      double sum = s.bias && fault != Fault::no_bias ? double(convert<float>(convert<T>(static_cast<const float*>(o.bias)[j]))) : 0.0;
      for (std::int64_t k = 0; k < s.k; ++k) sum += double(float(a[i * s.a_row + k * s.a_col])) * double(float(b[k * s.b_row + j * s.b_col]));
      const auto x = float(sum);
      const std::int64_t bit = i * row + j;
      float y = x;
      switch (s.epilogue) {
        case Epilogue::relu:
          y = x < 0 ? 0.0f : x;
          if (fault == Fault::nan_to_zero && x != x) y = 0;
          if (s.auxiliary && (x > 0 || (fault == Fault::bits_at_zero && x == 0))) bits[bit / 8] = std::uint8_t(bits[bit / 8] | 1 << bit % 8);
          break;
        case Epilogue::gelu_tanh:
          y = fault == Fault::other_gelu ? gelu_fast(x) : gelu_tanh_fast(x);
          if (s.auxiliary) inputs[bit] = convert<T>(x);
          break;
        case Epilogue::relu_gradient:
          y = (bits[bit / 8] >> (fault == Fault::bits_turned ? 7 - bit % 8 : bit % 8) & 1) ? x : 0.0f;
          break;
        case Epilogue::gelu_tanh_gradient:
          y = x * (fault == Fault::other_gelu ? gelu_slope(float(inputs[bit])) : gelu_tanh_slope(float(inputs[bit])));
          break;
        case Epilogue::none:
          break;
      }
      if (s.epilogue == Epilogue::none) static_cast<float*>(o.c)[i * s.n + j] = y;
      else static_cast<T*>(o.c)[i * s.n + j] = convert<T>(y);
      if (fault != Fault::last_sum || i + 1 < s.m) columns[std::size_t(j)] += double(y);
    }
  if (s.sums)
    for (std::int64_t j = 0; j < s.n; ++j) sums[j] = float(columns[std::size_t(j)]);
}

on_cpu::Epilogues epilogues = on_cpu::Epilogues::all;
int fused_runs = 0;

/// The call for one matrix of the shape's types.
using OneProduct =
    std::function<void(const void* a, std::int64_t a_at, const void* b, std::int64_t b_at, const void* bias, void* c, std::int64_t c_at)>;
OneProduct plain_product(const ProductShape& s) {
  return dispatch_floating("matmul", s.in, [&](auto in) -> OneProduct {
    using In = typename decltype(in)::type;
    return dispatch_floating("matmul", s.out, [&](auto out) -> OneProduct {
      using Out = typename decltype(out)::type;
      return [s](const void* a, std::int64_t a_at, const void* b, std::int64_t b_at, const void* bias, void* c, std::int64_t c_at) {
        multiply(s, static_cast<const In*>(a) + a_at, static_cast<const In*>(b) + b_at, bias, static_cast<Out*>(c) + c_at);
      };
    });
  });
}

/// Not every CPU's library has products of 16-bit numbers.
bool by_loops(const MatmulGeometry& g) {
  return size_of(g.in) == 2;
}

Kernel loops_over(const MatmulGeometry& g) {
  ProductShape s;
  s.in = g.in, s.out = g.out, s.m = g.m, s.n = g.n, s.k = g.k, s.bias = g.bias;
  s.a_row = g.a_row, s.a_col = g.a_col, s.b_row = g.b_row, s.b_col = g.b_col;
  return [g, one = plain_product(s)](void* const* p) {
    for (std::size_t i = 0; i < g.a_offset.size(); ++i)
      one(p[0], g.a_offset[i], p[1], g.b_offset[i], g.bias ? p[2] : nullptr, p[g.bias ? 3 : 2], std::int64_t(i) * g.m * g.n);
  };
}

}  // namespace

ProductCall make_product(const ProductShape& s) {
  return [s, one = plain_product(s)](const void* a, const void* b, const void* bias, void* c, void*) {
    const on_cpu::Open open;
    for (std::int64_t i = 0; i < s.count; ++i) one(a, i * s.a_step, b, i * s.b_step, bias, c, i * s.c_step);
  };
}
std::size_t product_workspace(const ProductShape&) {
  return 0;
}

FusedProductCall on_cpu::fused_loops(const ProductShape& s, Fault fault) {
  return [=](const FusedOperands& o) {
    const Open open;
    if (s.in == DType::bf16) multiply_fused<bf16>(s, o, fault);
    else if (s.in == DType::f16) multiply_fused<f16>(s, o, fault);
    else multiply_fused<float>(s, o, fault);
  };
}
FusedProductCall on_cpu::plain_loops(ProductShape s) {
  s.epilogue = Epilogue::none;
  s.bias = s.sums = s.auxiliary = false;
  return fused_loops(s);
}
void on_cpu::set_epilogues(Epilogues have) { epilogues = have; }
int on_cpu::fused_products_run() { return std::exchange(fused_runs, 0); }

FusedProductCall make_fused_product(const ProductShape& s) {
  using on_cpu::Epilogues;
  if (s.in == DType::f64 || epilogues == Epilogues::none || (s.sums && epilogues == Epilogues::without_sums) || (s.auxiliary && epilogues == Epilogues::without_auxiliary) ||
      (is_gradient(s.epilogue) && epilogues == Epilogues::without_gradients))
    return {};
  return [call = on_cpu::fused_loops(s)](const FusedOperands& o) {
    ++fused_runs;
    call(o);
  };
}

void install_matmul() {
  auto plain_workspace = [](MatmulGeometry g) {
    g.sums = false;
    return by_loops(g) ? 0 : matmul_workspace(DeviceType::cpu)(g);
  };
  matmul_slot.set(DeviceType::cuda, [](const MatmulGeometry& g) -> Kernel {
    MatmulGeometry one = g;
    one.sums = false;
    const Kernel product = by_loops(one) ? loops_over(one) : matmul_slot(kCpu, one);
    if (!g.sums)
      return [product](void* const* p) {
        const on_cpu::Open open;
        product(p);
      };
    return [g, product](void* const* p) {
      const on_cpu::Open open;
      void* operands[] = {p[0], p[1], p[2], p[4]};
      product(operands);
      channel_sums(g.in, p[0], g.k, g.m, p[3], p[4]);
    };
  });
  set_matmul_workspace(DeviceType::cuda, [plain_workspace](const MatmulGeometry& g) {
    return std::max<std::size_t>(plain_workspace(g), g.sums ? channel_sums_workspace(g.in, g.k, g.m) + 1 : 0);
  });
  set_matmul_sums(DeviceType::cuda, true);
}

namespace {

constexpr unsigned char kUndefined = 0xa5;

/// The order of n keys by their bits [first, last), stable.
std::vector<std::uint32_t> order_of(const std::uint64_t* keys, std::int64_t n, int first, int last) {
  const std::uint64_t mask = (last - first == 64 ? ~std::uint64_t(0) : (std::uint64_t(1) << (last - first)) - 1) << first;
  std::vector<std::uint32_t> order(std::size_t(n), 0u);
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return (keys[a] & mask) < (keys[b] & mask); });
  return order;
}
/// Puts what was sorted into `other` where there is an odd number of digits, as CUB does, and spoils what is undefined then.
template <class T>
void arrange(const std::vector<std::uint32_t>& order, T* at, T* other, bool odd) {
  const std::vector<T> before(at, at + order.size());
  T *to = odd ? other : at, *spoilt = odd ? at : other;
  for (std::size_t i = 0; i < order.size(); ++i) to[i] = before[order[i]];
  std::fill_n(reinterpret_cast<unsigned char*>(spoilt), order.size() * sizeof(T), kUndefined);
}

}  // namespace

NumberSort make_number_sort(std::int64_t n, int first, int last) {
  return [=](std::uint64_t* numbers, std::uint64_t* other) {
    const on_cpu::Open open;
    const bool odd = (last - first) / 8 % 2 == 1;
    arrange(order_of(numbers, n, first, last), numbers, other, odd);
    return odd;
  };
}
PairSort make_pair_sort(std::int64_t n) {
  return [=](std::uint64_t* keys, std::uint64_t* other_keys, std::uint32_t* at, std::uint32_t* other_at) {
    const on_cpu::Open open;
    const auto order = order_of(keys, n, 0, 64);
    arrange(order, keys, other_keys, false);
    arrange(order, at, other_at, false);
    return false;
  };
}
WholeSum make_whole_sum(std::int64_t n) {
  return [=](const std::uint64_t* x, std::uint64_t* y) {
    const on_cpu::Open open;
    std::uint64_t sum = 0;
    for (std::int64_t i = 0; i < n; ++i) y[i] = sum += x[i];
  };
}

void install_attention_cudnn() {}
void install_conv_cudnn() {}
void install_nvtx() {}
std::vector<std::pair<std::string, std::string>> library_versions() {
  return {};
}
void install_fft_library() {}
void install_linalg_library() {}

}  // namespace tenon::cuda

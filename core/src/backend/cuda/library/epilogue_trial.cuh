/// Whether a product with an epilogue gives what the plain product and our own functions do: on noise, on zeros and with a NaN (private). Results lie
/// in the product's type; what they are compared with is the plain product in f32.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>

#include "backend/cuda/library/product_trial.cuh"
#include "backend/cuda/product.hpp"
#include "kernels/activation.hpp"

namespace tenon::cuda::trial {

/// How far values may be apart: relative to their size, and from sums in another order.
struct Margin {
  float relative, absolute;
};

/// Four roundings to the type (of f32 32, for functions differ by some); sums of `depth` terms of order 1, in all some units large.
inline Margin margin_of(DType type, bool tf32, std::int64_t depth) {
  const float unit = 5.9604645e-8f, sums = tf32 ? 3.90625e-3f : unit * float(16 + depth / 16);
  return {type == DType::bf16 ? 0.015625f : type == DType::f16 ? 1.953125e-3f : 32 * unit, 4 * sums};
}

/// Noise in [-scale, scale).
template <class T>
__global__ void fill_scaled(T* x, std::int64_t count, std::uint32_t seed, float scale) {
  const std::int64_t step = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
    std::uint32_t h = std::uint32_t(i) * 2654435761u + seed * 0x9e3779b9u;
    h = (h ^ (h >> 16)) * 0x7feb352du;
    h = (h ^ (h >> 15)) * 0x846ca68bu;
    h ^= h >> 16;
    x[i] = T((float(h >> 8) * (1.0f / 8388608.0f) - 1.0f) * scale);
  }
}

/// Keeps the largest distance in margins, of those beyond one. A NaN that only one of both has is beyond all.
__device__ inline void judge(float got, float want, float size, Margin m, float* worst) {
  float ratio = 3e38f;
  if (want != want) {
    if (got != got) return;
  } else if (got == got) {
    ratio = fminf(fabsf(got - want) / (m.relative * (fabsf(want) + size) + m.absolute), 3e38f);
    if (ratio <= 1) return;
  }
  atomicMax(reinterpret_cast<int*>(worst), __float_as_int(ratio));  // positive floats have the order of their bits
}

/// got [rows, n] beside the activation of before + bias, which is left in `before`; `inputs` (GELU's, `row` apart) beside that itself. Null: none.
template <class T>
__global__ void compare_activation(float* before, const float* bias, const T* got, const T* inputs, std::int64_t row, std::int64_t count, std::int64_t n, bool gelu,
                                   Margin m, float* worst) {
  const std::int64_t step = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
    const float x = before[i] + (bias ? float(T(bias[i % n])) : 0.0f);  // products round it
    before[i] = x;
    judge(float(got[i]), gelu ? gelu_tanh_fast(x) : x < 0 ? 0.0f : x, fabsf(x), m, worst);
    if (inputs) judge(float(inputs[i / n * row + i % n]), x, 0.0f, m, worst);
  }
}

/// got [rows, n] beside the product times the activation's slope: of GELU at `inputs`, of ReLU at `x` (but where x is so near 0 that rounding decides).
template <class T>
__global__ void compare_gradient(const float* product, const float* x, const T* inputs, std::int64_t row, const T* got, std::int64_t count, std::int64_t n,
                                 Margin m, float* worst) {
  const std::int64_t step = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
    const float d = product[i];
    if (inputs) {
      judge(float(got[i]), d * gelu_tanh_slope(float(inputs[i / n * row + i % n])), fabsf(d), m, worst);
    } else if (x[i] == 0 || fabsf(x[i]) > m.absolute) {
      if (x[i] > 0 || d == d) judge(float(got[i]), x[i] > 0 ? d : 0.0f, fabsf(d), m, worst);
    }
  }
}

/// sums [n] beside those of the columns of c [rows, n].
template <class T>
__global__ void compare_sums(const T* c, const float* sums, std::int64_t rows, std::int64_t n, Margin m, float* worst) {
  const std::int64_t step = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t j = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; j < n; j += step) {
    double sum = 0, squares = 0;
    for (std::int64_t i = 0; i < rows; ++i) {
      const double v = double(float(c[i * n + j]));
      sum += v;
      squares += v * v;
    }
    judge(sums[j], float(sum), float(sqrt(squares)), m, worst);
  }
}

using ProductRun = std::function<void(const FusedOperands&)>;
struct EpilogueCandidates {
  ProductRun fused;  ///< what is judged
  ProductRun plain;  ///< the same product of f32 results and nothing else
  /// Of ReLU with its bits: the other half, the same product with ReLU that writes bits, or with its gradient that reads them; no bias, no sums.
  ProductRun other;
};

/// One judgement: its memory, and its runs over operands of one kind.
template <class T>
class EpilogueTrial {
 public:
  EpilogueTrial(const ProductShape& s, bool tf32, const EpilogueCandidates& run)
      : s_(s), run_(run), gelu_(s.epilogue == Epilogue::gelu_tanh || s.epilogue == Epilogue::gelu_tanh_gradient), count_(s.m * s.n),
        margin_(margin_of(s.in, tf32, s.k)), row_(auxiliary_row(s.epilogue, s.n)) {}

  /// Empty, or what is wrong.
  std::string verdict() {
    const std::size_t kept = std::size_t(s_.m) * (gelu_ ? std::size_t(row_) * sizeof(T) : std::size_t(row_ / 8)), results = std::size_t(count_) * sizeof(T);
    a_bytes_ = span(s_.m, s_.a_row, s_.k, s_.a_col), b_bytes_ = span(s_.k, s_.b_row, s_.n, s_.b_col);
    const bool aux = s_.auxiliary || is_gradient(s_.epilogue);
    if (a_bytes_ + b_bytes_ + 2 * results + 2 * std::size_t(count_) * 4 + 2 * kept > kLargest) return "too large to be tried";
    if (!(a_.take(a_bytes_) && b_.take(b_bytes_) && bias_.take(std::size_t(s_.n) * sizeof(float)) && c_.take(results) && again_.take(results) &&
          product_.take(std::size_t(count_) * 4) && before_.take(bits() ? std::size_t(count_) * 4 : 0) && kept_.take(aux ? kept : 0) &&
          kept_again_.take(s_.auxiliary ? kept : 0) && sums_.take(s_.sums ? std::size_t(s_.n) * 4 : 0) && sums_again_.take(s_.sums ? std::size_t(s_.n) * 4 : 0) &&
          workspace_.take(std::size_t(s_.n) * sizeof(T)) && flag_.take(sizeof(int)) && worst_.take(sizeof(float))))
      throw Error(ErrorKind::device, "memory.exhausted", "no memory to try it");
    // what pre-activations are made of: some units large
    fill(b_.data, b_bytes_ / sizeof(T), 2, 4.5f / std::sqrt(float(s_.k)));
    start_items("fill_scaled", s_.n, fill_scaled<float>, static_cast<float*>(bias_.data), s_.n, 3u, 1.0f);
    for (const Kind kind : {Kind::noise, Kind::zeros, Kind::nan}) {
      const char* differs = is_gradient(s_.epilogue) ? gradient(kind) : activation(kind);
      if (differs) return differs;
      const float distance = worst();
      if (distance <= 1) continue;
      if (kind == Kind::nan) return "a NaN does not stay one";
      char text[64];
      std::snprintf(text, sizeof text, "%.3g times as far off as rounding is, %s", double(distance), kind == Kind::zeros ? "where inputs are 0" : "on noise");
      return text;
    }
    return {};
  }

 private:
  enum class Kind { noise, zeros, nan };
  static constexpr std::size_t kLargest = std::size_t(4) << 30;  // bytes of a trial

  bool bits() const { return !gelu_ && (s_.auxiliary || is_gradient(s_.epilogue)); }
  static std::size_t span(std::int64_t rows, std::int64_t row, std::int64_t columns, std::int64_t column) {
    return std::size_t((rows - 1) * row + (columns - 1) * column + 1) * sizeof(T);
  }
  static void fill(void* x, std::size_t count, std::uint32_t seed, float scale) {
    start_items("fill_scaled", std::int64_t(count), fill_scaled<T>, static_cast<T*>(x), std::int64_t(count), seed, scale);
  }
  static void clear(void* x, std::size_t bytes, int byte = 0) {
    if (bytes > 0) check(cudaMemsetAsync(x, byte, bytes, stream()), "cudaMemsetAsync");
  }
  float worst() {
    float host = 0;
    check(cudaMemcpyAsync(&host, worst_.data, sizeof host, cudaMemcpyDeviceToHost, stream()), "cudaMemcpyAsync");
    check(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
    return host;
  }
  bool differ(const Memory& x, const Memory& y, std::size_t bytes) { return trial::differ(x.data, y.data, bytes, static_cast<int*>(flag_.data)); }
  T* at(const Memory& m) { return static_cast<T*>(m.data); }
  float* floats(const Memory& m) { return static_cast<float*>(m.data); }
  std::size_t kept_bytes() const { return kept_.held ? kept_.held->bytes() : 0; }

  /// Left operands of one kind; `seed`: which noise.
  void operands(Kind kind, std::uint32_t seed) {
    if (kind == Kind::zeros) clear(a_.data, a_bytes_);
    else fill(a_.data, a_bytes_ / sizeof(T), seed, 1);
    if (kind == Kind::nan) clear(a_.data, sizeof(T), 0xff);  // all bits set are one
    clear(worst_.data, sizeof(float));
  }
  /// The bias is f32, as those of products are.
  FusedOperands whole(const Memory& c, const Memory& kept, const Memory& sums) {
    FusedOperands o;
    o.a = a_.data, o.b = b_.data, o.c = c.data;
    if (s_.bias) o.bias = bias_.data;
    if (s_.auxiliary || is_gradient(s_.epilogue)) o.auxiliary = kept.data;
    if (s_.sums) o.sums = sums.data;
    o.workspace = workspace_.data;
    return o;
  }
  FusedOperands bare(const Memory& c, void* kept) {
    FusedOperands o;
    o.a = a_.data, o.b = b_.data, o.c = c.data, o.auxiliary = kept, o.workspace = workspace_.data;
    return o;
  }

  const char* activation(Kind kind) {
    if (kind == Kind::zeros) clear(bias_.data, sizeof(float));  // a value of exactly 0 before the activation
    operands(kind, 1);
    clear(kept_.data, kept_bytes());
    run_.fused(whole(c_, kept_, sums_));
    if (kind == Kind::noise) {
      clear(kept_again_.data, s_.auxiliary ? kept_bytes() : 0);
      run_.fused(whole(again_, kept_again_, sums_));
      if (differ(c_, again_, std::size_t(count_) * sizeof(T)) || (s_.auxiliary && differ(kept_, kept_again_, kept_bytes()))) return "its bits do not repeat";
    }
    float* before = floats(bits() ? before_ : product_);
    run_.plain(bare(bits() ? before_ : product_, nullptr));
    start_items("compare_activation", count_, compare_activation<T>, before, static_cast<const float*>(s_.bias ? bias_.data : nullptr), static_cast<const T*>(at(c_)),
                static_cast<const T*>(gelu_ && s_.auxiliary ? at(kept_) : nullptr), row_, count_, s_.n, gelu_, margin_, floats(worst_));
    if (!bits() || kind == Kind::nan) return nullptr;
    fill(a_.data, a_bytes_ / sizeof(T), 4, 1);  // a gradient that comes down
    run_.other(bare(again_, kept_.data));
    compare_gradients(again_);
    return nullptr;
  }

  const char* gradient(Kind kind) {
    operands(kind == Kind::zeros && !gelu_ ? Kind::zeros : Kind::noise, 1);
    if (gelu_) {
      if (kind == Kind::zeros) clear(kept_.data, kept_bytes());
      else fill(kept_.data, kept_bytes() / sizeof(T), 5, 4);
    } else {
      run_.other(bare(again_, kept_.data));
      run_.plain(bare(before_, nullptr));
    }
    operands(kind == Kind::nan ? kind : Kind::noise, 4);
    run_.fused(whole(c_, kept_, sums_));
    if (kind == Kind::noise) {
      run_.fused(whole(again_, kept_, sums_again_));
      if (differ(c_, again_, std::size_t(count_) * sizeof(T)) || (s_.sums && differ(sums_, sums_again_, std::size_t(s_.n) * 4))) return "its bits do not repeat";
    }
    compare_gradients(c_);
    if (s_.sums && kind != Kind::nan) {
      const Margin m{margin_.relative + 5.9604645e-8f * float(s_.m / 16), margin_.absolute};
      start_items("compare_sums", s_.n, compare_sums<T>, static_cast<const T*>(at(c_)), static_cast<const float*>(floats(sums_)), s_.m, s_.n, m, floats(worst_));
    }
    return nullptr;
  }

  void compare_gradients(const Memory& c) {
    run_.plain(bare(product_, nullptr));
    start_items("compare_gradient", count_, compare_gradient<T>, static_cast<const float*>(floats(product_)),
                static_cast<const float*>(gelu_ ? nullptr : floats(before_)), static_cast<const T*>(gelu_ ? at(kept_) : nullptr), row_,
                static_cast<const T*>(at(c)), count_, s_.n, margin_, floats(worst_));
  }

  const ProductShape s_;
  const EpilogueCandidates& run_;
  bool gelu_;
  std::int64_t count_;
  Margin margin_;
  std::int64_t row_;
  std::size_t a_bytes_ = 0, b_bytes_ = 0;
  Memory a_, b_, bias_, c_, again_, product_, before_, kept_, kept_again_, sums_, sums_again_, workspace_, flag_, worst_;
};

/// Empty, or why what is computed in one pass is not to be used. Waits for the device; not while a graph is captured.
inline std::string judge_epilogue(const ProductShape& s, bool tf32, const EpilogueCandidates& run) {
  if (s.in == DType::bf16) return EpilogueTrial<bf16>(s, tf32, run).verdict();
  if (s.in == DType::f16) return EpilogueTrial<f16>(s, tf32, run).verdict();
  return EpilogueTrial<float>(s, tf32, run).verdict();
}

}  // namespace tenon::cuda::trial

#include "backend/cuda/conv_form.hpp"

#include <algorithm>
#include <numeric>

#include "backend/cuda/packs.cuh"
#include "ops/dispatch.hpp"

namespace tenon::cuda {
namespace {

constexpr std::int64_t kFewChannels = 8;      ///< of x, up to which positions are taken together
constexpr std::int64_t kMostBlocked = 32;     ///< channels that they make
constexpr double kMostWaste = 1.5;            ///< products with padded channels, of those without
constexpr std::int64_t kPacks = 8, kTile = 64;  ///< what vector loads want, and what a tile of tensor cores' products does

std::int64_t up(std::int64_t n, std::int64_t to) {
  return (n + to - 1) / to * to;
}

std::size_t last_axis(const ConvGeometry& g) {
  return std::size_t(g.spatial - 1);
}

/// Taps to one side of a block's own position.
std::int64_t reach_of(const ConvGeometry& g, std::int64_t block) {
  const std::int64_t k = g.kernel[last_axis(g)], pad = g.pad[last_axis(g)], left = (pad + block - 1) / block,
                     right = (block + k - 2 - pad) / block;
  return std::max(left, right);
}

/// How weights of a form lie: [out blocks, taps of the other axes, taps, in blocks].
struct FormMap {
  std::int64_t block, reach, pad, outer, kernel, in, out;  ///< kernel: taps of the last axis; in, out: channels
  std::int64_t form_kernel, form_in, form_out;             ///< form_in, form_out: channels of one position of a block
  TENON_HD std::int64_t weights() const { return out * outer * kernel * in; }
  TENON_HD std::int64_t form_weights() const { return block * form_out * outer * form_kernel * block * form_in; }
};

FormMap map_of(const ConvGeometry& g, const ConvForm& f) {
  FormMap m;
  m.block = f.block;
  m.kernel = g.kernel[last_axis(g)];
  m.outer = g.taps() / m.kernel;
  m.in = g.in_channels, m.out = g.out_channels;
  m.form_in = g.in_channels + f.in_pad, m.form_out = g.out_channels + f.out_pad;
  m.pad = f.block > 1 ? g.pad[last_axis(g)] : 0;
  m.reach = f.block > 1 ? reach_of(g, f.block) : 0;
  m.form_kernel = f.block > 1 ? 2 * m.reach + 1 : m.kernel;
  return m;
}

/// The last digit of a place whose last axis has `size`; `place` becomes what is left.
__device__ std::int64_t last_digit(std::int64_t& place, std::int64_t size) {
  const std::int64_t digit = place % size;
  place /= size;
  return digit;
}

template <class To>
__global__ void form_kernel(FormMap m, const float* from, To* to) {
  const std::int64_t pace = std::int64_t(gridDim.x) * blockDim.x, count = m.form_weights();
  for (std::int64_t at = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; at < count; at += pace) {
    std::int64_t rest = at;
    const std::int64_t c = last_digit(rest, m.form_in), i = last_digit(rest, m.block), u = last_digit(rest, m.form_kernel),
                       q = last_digit(rest, m.outer), o = last_digit(rest, m.form_out), j = rest,
                       t = m.block * (u - m.reach) + i - j + m.pad;
    const bool there = o < m.out && c < m.in && t >= 0 && t < m.kernel;
    to[at] = there ? To(from[((o * m.outer + q) * m.kernel + t) * m.in + c]) : To(0.0f);
  }
}

/// A thread a weight; the positions of a block are added in their order.
template <class From>
__global__ void unform_kernel(FormMap m, const From* from, float* to) {
  const std::int64_t pace = std::int64_t(gridDim.x) * blockDim.x, count = m.weights();
  for (std::int64_t at = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; at < count; at += pace) {
    std::int64_t rest = at;
    const std::int64_t c = last_digit(rest, m.in), t = last_digit(rest, m.kernel), q = last_digit(rest, m.outer), o = rest;
    float sum = 0;
    for (std::int64_t j = 0; j < m.block; ++j) {
      const std::int64_t place = t - m.pad + j + m.block * m.reach, u = place / m.block, i = place % m.block;
      sum += float(from[((((j * m.form_out + o) * m.outer + q) * m.form_kernel + u) * m.block + i) * m.form_in + c]);
    }
    to[at] = sum;
  }
}

/// N divides both numbers of channels.
template <class T, int N>
__global__ void fit_kernel(const T* from, T* to, std::int64_t rows, std::int64_t from_channels, std::int64_t to_channels,
                           const float* bias) {
  const std::int64_t pace = std::int64_t(gridDim.x) * blockDim.x, packs = to_channels / N, count = rows * packs;
  for (std::int64_t at = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; at < count; at += pace) {
    const std::int64_t row = at <= 0x7fffffff ? unsigned(at) / unsigned(packs) : at / packs, c = (at - row * packs) * N;
    Acc<T> v[N];
    if (c < from_channels) {
      load_lanes<T, N>(from + row * from_channels + c, v);
    } else {
#pragma unroll
      for (int i = 0; i < N; ++i) v[i] = 0;
    }
    if (bias) {
#pragma unroll
      for (int i = 0; i < N; ++i) v[i] += bias[c + i];
    }
    store_lanes<T, N>(to + row * to_channels + c, v);
  }
}

__global__ void repeat_kernel(const float* bias, float* to, std::int64_t channels, std::int64_t count) {
  const std::int64_t pace = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t at = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; at < count; at += pace) to[at] = bias[at % channels];
}

template <class F>
void dispatch_narrow(DType type, F&& f) {
  type == DType::f16 ? f(TypeTag<f16>{}) : type == DType::bf16 ? f(TypeTag<bf16>{}) : f(TypeTag<float>{});
}

}  // namespace

ConvGeometry presented(const ConvGeometry& g, const ConvForm& f) {
  ConvGeometry p = g;
  p.in_channels = (g.in_channels + f.in_pad) * f.block;
  p.out_channels = (g.out_channels + f.out_pad) * f.block;
  if (f.block > 1) {
    const std::size_t a = last_axis(g);
    p.in[a] /= f.block;
    p.out[a] /= f.block;
    p.pad[a] = reach_of(g, f.block);
    p.kernel[a] = 2 * p.pad[a] + 1;
  }
  return p;
}

std::vector<ConvForm> conv_forms(const ConvGeometry& g) {
  std::vector<ConvForm> forms;
  if (g.groups != 1 || size_of(g.dtype) != 2) return forms;
  const std::size_t a = last_axis(g);
  if (g.in_channels <= kFewChannels && g.kernel[a] > 1 && g.stride[a] == 1 && g.dilation[a] == 1 && g.in[a] == g.out[a])
    for (std::int64_t block = kMostBlocked; block > 1 && forms.size() < 2; block /= 2) {
      const std::int64_t channels = block * g.in_channels;
      if (channels <= kMostBlocked && channels % kPacks == 0 && g.in[a] % block == 0) forms.push_back({block, 0, 0});
    }
  const std::int64_t in = g.in_channels, out = g.out_channels;
  auto padded = [&](std::int64_t to) { return ConvForm{1, up(in, to) - in, up(out, to) - out}; };
  auto add = [&](const ConvForm& f) {
    if (!f.plain() && std::find(forms.begin(), forms.end(), f) == forms.end()) forms.push_back(f);
  };
  add(padded(kPacks));
  if (const ConvForm f = padded(kTile); double(in + f.in_pad) * double(out + f.out_pad) <= kMostWaste * double(in) * double(out)) add(f);
  return forms;
}

void form_weights(const ConvGeometry& g, const ConvForm& form, DType to_type, const void* from, void* to) {
  const FormMap m = map_of(g, form);
  dispatch_narrow(to_type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    start_items("conv_form_weights", m.form_weights(), form_kernel<T>, m, static_cast<const float*>(from), static_cast<T*>(to));
  });
}

void unform_weights(const ConvGeometry& g, const ConvForm& form, DType from_type, const void* from, void* to) {
  const FormMap m = map_of(g, form);
  dispatch_narrow(from_type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    start_items("conv_unform_weights", m.weights(), unform_kernel<T>, m, static_cast<const T*>(from), static_cast<float*>(to));
  });
}

void fit_channels(DType type, const void* from, void* to, std::int64_t rows, std::int64_t from_channels, std::int64_t to_channels,
                  const void* bias) {
  dispatch_narrow(type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    by_lanes<T>(std::gcd(from_channels, to_channels), {from, to}, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      start_items("conv_fit_channels", rows * (to_channels / N), fit_kernel<T, N>, static_cast<const T*>(from), static_cast<T*>(to), rows,
                  from_channels, to_channels, static_cast<const float*>(bias));
    });
  });
}

void repeat_bias(const void* bias, void* to, std::int64_t channels, std::int64_t times) {
  start_items("conv_repeat_bias", channels * times, repeat_kernel, static_cast<const float*>(bias), static_cast<float*>(to), channels,
              channels * times);
}

}  // namespace tenon::cuda

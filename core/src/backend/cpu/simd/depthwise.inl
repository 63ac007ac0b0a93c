// Depthwise convolutions of channels-last f32; see backend/cpu/depthwise.hpp.
#include <algorithm>
#include <type_traits>

#include "backend/cpu/depthwise.hpp"
#include "kernels/vec.inl"

namespace tenon::TENON_ISA {

using cpu::DepthwiseShape;

/// A segment of an output row, and what of its taps lies inside.
struct DepthwiseRow {
  struct Taps {
    std::int64_t x, tap;  ///< the first element of a row of x, and the first of its weights
  };
  Taps rows[DepthwiseShape::kMostTapRows]{};
  int count = 0;
  std::int64_t y = 0;             ///< the output row's first element
  std::int64_t begin = 0, end = 0;
  std::int64_t inner = 0, inner_end = 0;  ///< the places of it whose taps along the row all lie inside

  void find(const DepthwiseShape& s, std::int64_t unit) {
    count = 0;
    const std::int64_t segment = unit % s.segments, row = unit / s.segments, b = row % s.out[1], a = row / s.out[1] % s.out[0], n = row / (s.out[0] * s.out[1]);
    for (std::int64_t i = 0; i < s.kernel[0]; ++i) {
      const std::int64_t p = a * s.stride[0] - s.pad[0] + i * s.dilation[0];
      if (p < 0 || p >= s.in[0]) continue;
      for (std::int64_t j = 0; j < s.kernel[1]; ++j) {
        const std::int64_t q = b * s.stride[1] - s.pad[1] + j * s.dilation[1];
        if (q < 0 || q >= s.in[1]) continue;
        rows[count++] = {((n * s.in[0] + p) * s.in[1] + q) * s.in[2] * s.channels, (i * s.kernel[1] + j) * s.kernel[2]};
      }
    }
    y = row * s.out[2] * s.channels;
    begin = segment * DepthwiseShape::kSegment;
    end = std::min(s.out[2], begin + DepthwiseShape::kSegment);
    const std::int64_t last = s.in[2] - 1 + s.pad[2] - (s.kernel[2] - 1) * s.dilation[2];  // the last place of x, before the stride, where a window may begin
    inner = std::clamp((s.pad[2] + s.stride[2] - 1) / s.stride[2], begin, end);
    inner_end = last < 0 ? inner : std::clamp(last / s.stride[2] + 1, inner, end);
  }
};

/// The lines that this row of outputs is about to write: pieces of columns, which no prefetcher follows either.
[[gnu::always_inline]] inline void depthwise_claim(const DepthwiseShape& s, const DepthwiseRow& row, float* y, std::int64_t c) {
  for (std::int64_t o = row.begin; o < row.end; ++o) __builtin_prefetch(y + row.y + o * s.channels + c, 1, 3);
}

/// R outputs side by side from `o` on, of N channels from c on. Not `Inner`: R is 1, and taps outside are left out.
template <int N, int R, bool Inner>
[[gnu::always_inline]] inline void depthwise_outputs(const DepthwiseShape& s, const DepthwiseRow& row, const float* x, const float* w, const float* bias, float* y,
                                                     std::int64_t o, std::int64_t c) {
  Vec<float, N> sum[R];
  for (int r = 0; r < R; ++r) sum[r] = bias ? load<N>(bias + c) : Vec<float, N>{};
  const std::int64_t first = o * s.stride[2] - s.pad[2], apart = s.stride[2] * s.channels;
  for (int t = 0; t < row.count; ++t)
    for (std::int64_t k = 0; k < s.kernel[2]; ++k) {
      const std::int64_t at = first + k * s.dilation[2];
      if (!Inner && (at < 0 || at >= s.in[2])) continue;
      const Vec<float, N> weight = load<N>(w + (row.rows[t].tap + k) * s.channels + c);
      const float* from = x + row.rows[t].x + at * s.channels + c;
      for (int r = 0; r < R; ++r) sum[r] += load<N>(from + r * apart) * weight;
    }
  for (int r = 0; r < R; ++r) store<N>(y + row.y + (o + r) * s.channels + c, sum[r]);
}

/// body(width, c) for the channels in vectors, the last ones in ever narrower ones.
template <int N, class Body>
[[gnu::always_inline]] inline void depthwise_blocks(std::int64_t c, std::int64_t channels, const Body& body) {
  for (; c + N <= channels; c += N) body(std::integral_constant<int, N>{}, c);
  if constexpr (N > 1) depthwise_blocks<N / 2>(c, channels, body);
}

/// What the row takes from x so many elements further on goes to the second cache: pieces of columns lead no prefetcher to the next ones.
[[gnu::always_inline]] inline void depthwise_fetch(const DepthwiseShape& s, const DepthwiseRow& row, const float* x, std::int64_t ahead) {
  const std::int64_t first = row.begin * s.stride[2], last = std::min(s.in[2], row.end * s.stride[2]);
  auto at = reinterpret_cast<std::uintptr_t>(x) + std::uintptr_t(row.rows[row.count - 1].x + ahead + first * s.channels) * sizeof(float);
  for (std::int64_t o = first; o < last; ++o, at += std::uintptr_t(s.channels) * sizeof(float)) __builtin_prefetch(reinterpret_cast<const void*>(at), 0, 2);
}

/// body(width, c, row) for all channels of units [begin, end): of as many units together as the second cache holds, a vector of channels after the other, so that
/// the lines that neighbouring rows have in common are still in the first cache.
template <class Body>
[[gnu::always_inline]] inline void depthwise_units(const DepthwiseShape& s, const float* x, std::int64_t begin, std::int64_t end, const Body& body) {
  constexpr std::int64_t kMost = 16, kBytes = 192 << 10;
  const std::int64_t step = std::clamp<std::int64_t>(kBytes / std::max<std::int64_t>(1, s.in[2] * s.channels * std::int64_t(sizeof(float))), 1, kMost);
  DepthwiseRow rows[kMost];
  for (; begin < end; begin += step) {
    const std::int64_t count = std::min(step, end - begin);
    for (std::int64_t i = 0; i < count; ++i) rows[i].find(s, begin + i);
    const std::int64_t ahead = step * s.stride[1] * s.in[2] * s.channels;
    depthwise_blocks<kLanes<float>>(0, s.channels, [&](auto width, std::int64_t c) {
      for (std::int64_t i = 0; i < count; ++i) {
        if (rows[i].count > 0) depthwise_fetch(s, rows[i], x, ahead + c);
        body(width, c, rows[i]);
      }
    });
  }
}

inline void depthwise_run(const DepthwiseShape& s, const float* x, const float* w, const float* bias, float* y, std::int64_t begin, std::int64_t end) {
  depthwise_units(s, x, begin, end, [&](auto width, std::int64_t c, const DepthwiseRow& row) {
    constexpr int N = decltype(width)::value;
    depthwise_claim(s, row, y, c);
    std::int64_t o = row.begin;
    for (; o < row.inner; ++o) depthwise_outputs<N, 1, false>(s, row, x, w, bias, y, o, c);
    for (; o + 8 <= row.inner_end; o += 8) depthwise_outputs<N, 8, true>(s, row, x, w, bias, y, o, c);
    for (; o + 2 <= row.inner_end; o += 2) depthwise_outputs<N, 2, true>(s, row, x, w, bias, y, o, c);
    for (; o < row.end; ++o) depthwise_outputs<N, 1, false>(s, row, x, w, bias, y, o, c);
  });
}

template <int N>
[[gnu::always_inline]] inline void depthwise_add(double* to, Vec<float, N> v) {
  for (int i = 0; i < N; ++i) to[i] += double(v[i]);
}

/// G taps side by side, from k on, of one row of taps.
template <int N, int G>
void depthwise_taps(const DepthwiseShape& s, const DepthwiseRow& row, const float* x, const float* y, double* sums, int t, std::int64_t k, std::int64_t c) {
  Vec<float, N> sum[G]{};
  const float *from = x + row.rows[t].x + c, *of_y = y + row.y + c;
  auto at = [&](std::int64_t o, int g) { return o * s.stride[2] - s.pad[2] + (k + g) * s.dilation[2]; };
  for (std::int64_t o = row.inner; o < row.inner_end; ++o) {
    const Vec<float, N> d = load<N>(of_y + o * s.channels);
    const float* p = from + at(o, 0) * s.channels;
    for (int g = 0; g < G; ++g) sum[g] += load<N>(p + g * s.dilation[2] * s.channels) * d;
  }
  for (std::int64_t o = row.begin; o < row.end; ++o) {
    if (o == row.inner) o = row.inner_end;
    if (o >= row.end) break;
    for (int g = 0; g < G; ++g)
      if (at(o, g) >= 0 && at(o, g) < s.in[2]) sum[g] += load<N>(from + at(o, g) * s.channels) * load<N>(of_y + o * s.channels);
  }
  for (int g = 0; g < G; ++g) depthwise_add<N>(sums + (row.rows[t].tap + k + g) * s.channels + c, sum[g]);
}

inline void depthwise_weights(const DepthwiseShape& s, const float* x, const float* y, double* sums, double* y_sums, std::int64_t begin, std::int64_t end) {
  depthwise_units(s, x, begin, end, [&](auto width, std::int64_t c, const DepthwiseRow& row) {
    constexpr int N = decltype(width)::value;
    for (int t = 0; t < row.count; ++t) {
      std::int64_t k = 0;
      for (; k + 4 <= s.kernel[2]; k += 4) depthwise_taps<N, 4>(s, row, x, y, sums, t, k, c);
      if (s.kernel[2] - k == 3) depthwise_taps<N, 3>(s, row, x, y, sums, t, k, c);
      if (s.kernel[2] - k == 2) depthwise_taps<N, 2>(s, row, x, y, sums, t, k, c);
      if (s.kernel[2] - k == 1) depthwise_taps<N, 1>(s, row, x, y, sums, t, k, c);
    }
    if (!y_sums) return;
    Vec<float, N> sum{};
    for (std::int64_t o = row.begin; o < row.end; ++o) sum += load<N>(y + row.y + o * s.channels + c);
    depthwise_add<N>(y_sums + c, sum);
  });
}

}  // namespace tenon::TENON_ISA

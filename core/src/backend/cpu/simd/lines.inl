// Loops along lines of f64 for one instruction set; see backend/cpu/linalg/factor.hpp.
#include "kernels/vec.inl"

namespace tenon::TENON_ISA {

/// y -= sum of f[p] times line p of x, lines `stride` apart.
struct SubtractLines {
  template <int M, int N>
  [[gnu::always_inline]] static void run(std::int64_t c, std::int64_t count, const double* f, const double* x, std::int64_t stride,
                                         double* y) {
    Vec<double, N> sums[M];
    for (int v = 0; v < M; ++v) sums[v] = load<N>(y + c + v * N);
    for (std::int64_t p = 0; p < count; ++p) {
      const Vec<double, N> by = splat<double, N>(f[p]);
      for (int v = 0; v < M; ++v) sums[v] -= by * load<N>(x + p * stride + c + v * N);
    }
    for (int v = 0; v < M; ++v) store<N>(y + c + v * N, sums[v]);
  }
};
inline void subtract_lines(std::int64_t n, std::int64_t count, const double* f, const double* x, std::int64_t stride, double* y) {
  channel_blocks<double, SubtractLines>(n, count, f, x, stride, y);
}

struct DivideLine {
  template <int M, int N>
  [[gnu::always_inline]] static void run(std::int64_t c, double d, double* y) {
    for (int v = 0; v < M; ++v) store<N>(y + c + v * N, load<N>(y + c + v * N) / splat<double, N>(d));
  }
};
inline void divide_line(std::int64_t n, double d, double* y) {
  channel_blocks<double, DivideLine>(n, d, y);
}

/// The first place of the largest size, NaN being smaller than all; 0 where x[0] is NaN.
inline std::int64_t largest_place(std::int64_t n, const double* x) {
  constexpr int L = kLanes<double>, kVecs = 4;
  double largest = x[0] < 0 ? -x[0] : x[0];
  if (!(largest >= 0)) return 0;
  std::int64_t i = 0;
  if (n >= kVecs * L) {
    Vec<double, L> most[kVecs] = {};
    for (; n - i >= kVecs * L; i += kVecs * L)
      for (int v = 0; v < kVecs; ++v) {
        const Vec<double, L> at = load<L>(x + i + v * L), size = at < 0 ? -at : at;
        most[v] = size > most[v] ? size : most[v];
      }
    for (int v = 0; v < kVecs; ++v)
      for (int l = 0; l < L; ++l) largest = most[v][l] > largest ? most[v][l] : largest;
  }
  for (; i < n; ++i) {
    const double size = x[i] < 0 ? -x[i] : x[i];
    largest = size > largest ? size : largest;
  }
  std::int64_t place = 0;
  while (!(x[place] == largest || -x[place] == largest)) ++place;
  return place;
}

struct MultiplyLine {
  template <int M, int N>
  [[gnu::always_inline]] static void run(std::int64_t c, const double* x, double f, double* y) {
    for (int v = 0; v < M; ++v) store<N>(y + c + v * N, load<N>(x + c + v * N) * splat<double, N>(f));
  }
};
inline void multiply_line(std::int64_t n, const double* x, double f, double* y) {
  channel_blocks<double, MultiplyLine>(n, x, f, y);
}

inline double sum_of_squares(std::int64_t n, const double* x) {
  constexpr int L = kLanes<double>, kVecs = 4;
  Vec<double, L> sums[kVecs] = {};
  std::int64_t i = 0;
  for (; n - i >= kVecs * L; i += kVecs * L)
    for (int v = 0; v < kVecs; ++v) sums[v] += load<L>(x + i + v * L) * load<L>(x + i + v * L);
  double sum = sum_lanes<double, L>((sums[0] + sums[1]) + (sums[2] + sums[3]));
  for (; i < n; ++i) sum += x[i] * x[i];
  return sum;
}

/// The largest size of the values, NaN where one is NaN.
inline double largest_size(std::int64_t n, const double* x) {
  constexpr int L = kLanes<double>, kVecs = 4;
  Vec<double, L> most[kVecs] = {};
  double largest = 0;
  std::int64_t i = 0;
  for (; n - i >= kVecs * L; i += kVecs * L)
    for (int v = 0; v < kVecs; ++v) {
      const Vec<double, L> at = load<L>(x + i + v * L), size = at < 0 ? -at : at;
      most[v] = (size <= most[v]) | (most[v] != most[v]) ? most[v] : size;
    }
  const auto take = [&](double size) { largest = largest != largest || size <= largest ? largest : size; };
  for (int v = 0; v < kVecs; ++v)
    for (int l = 0; l < L; ++l) take(most[v][l]);
  for (; i < n; ++i) take(x[i] < 0 ? -x[i] : x[i]);
  return largest;
}

}  // namespace tenon::TENON_ISA

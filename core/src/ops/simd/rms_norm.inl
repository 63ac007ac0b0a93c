// Rows of RMS norm and its gradient; sums as in layer norm.
#include "ops/simd/norm.inl"

namespace tenon::TENON_ISA {

struct RmsApplyBody {
  template <int M, int N, class T, class A>
  static void run(std::int64_t c, const T* x, T* y, A rstd, const A* scale) {
    for (int m = 0; m < M; ++m) {
      const std::int64_t at = c + m * N;
      store<N>(y + at, (load<N>(x + at) * rstd) * load<N>(scale + at));
    }
  }
};

struct RmsGradientBody {
  template <int M, int N, class T, class A>
  static void run(std::int64_t c, const T* x, const T* dy, T* dx, A rstd, const A* scale, A pull, A* sum_gx) {
    for (int m = 0; m < M; ++m) {
      const std::int64_t at = c + m * N;
      Vec<A, N> g = load<N>(dy + at), v = load<N>(x + at);
      store<N>(dx + at, load<N>(scale + at) * g * rstd + pull * v);
      store<N>(sum_gx + at, load<N>(sum_gx + at) + g * (v * rstd));
    }
  }
};

template <class T>
void rms_row(const T* x, T* y, std::int64_t channels, const Acc<T>* scale, double eps, Acc<T>* rstd) {
  using A = Acc<T>;
  const double mean = row_sum<A>(channels, SquareTerm<T>{x, A(0)}) / double(channels);
  *rstd = A(1 / std::sqrt(mean + eps));
  channel_blocks<A, RmsApplyBody>(channels, x, y, *rstd, scale);
}

/// d_x = rstd scale g - x rstd^3 mean(scale g x); sum_gx gathers this row's share of d_scale.
template <class T>
void rms_row_gradient(const T* x, const T* dy, T* dx, std::int64_t channels, Acc<T> rstd, const Acc<T>* scale, Acc<T>* sum_gx) {
  using A = Acc<T>;
  const double mean = row_sum<A>(channels, ScaledCentredTerm<T>{dy, x, scale, A(0)}) / double(channels), r = double(rstd);
  channel_blocks<A, RmsGradientBody>(channels, x, dy, dx, rstd, scale, A(-r * r * r * mean), sum_gx);
}

}  // namespace tenon::TENON_ISA

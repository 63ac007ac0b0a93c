// Loops of the discrete Fourier transform for one instruction set; see backend/cpu/fft/fft_line.hpp.
#include <utility>

#include "backend/cpu/fft/fft_line.hpp"
#include "kernels/vec.inl"

namespace tenon::TENON_ISA {

using cpu::FftLanes;
using cpu::FftLine;
using cpu::FftPass;

/// Lanes of a group; a value takes 2 * kFftLanes scalars of a buffer.
template <class T>
inline constexpr int kFftLanes = kLanes<T>;
template <class T>
using FftVec = Vec<T, kFftLanes<T>>;

// ---- complex values, one a lane ---------------------------------------------------------------------------------

template <class T>
struct FftValue {
  FftVec<T> re, im;
};
template <class T>
[[gnu::always_inline]] inline FftValue<T> operator+(const FftValue<T>& a, const FftValue<T>& b) {
  return {a.re + b.re, a.im + b.im};
}
template <class T>
[[gnu::always_inline]] inline FftValue<T> operator-(const FftValue<T>& a, const FftValue<T>& b) {
  return {a.re - b.re, a.im - b.im};
}
template <class T>
[[gnu::always_inline]] inline FftValue<T> operator*(const FftValue<T>& a, T b) {
  return {a.re * b, a.im * b};
}
/// a times the complex number at w.
template <class T>
[[gnu::always_inline]] inline FftValue<T> fft_times(const FftValue<T>& a, const T* w) {
  return {a.re * w[0] - a.im * w[1], a.im * w[0] + a.re * w[1]};
}
template <class T>
[[gnu::always_inline]] inline FftValue<T> fft_minus_i(const FftValue<T>& a) {
  return {a.im, -a.re};
}
template <class T>
[[gnu::always_inline]] inline FftValue<T> fft_get(const T* p) {
  return {load<kFftLanes<T>>(p), load<kFftLanes<T>>(p + kFftLanes<T>)};
}
template <class T>
[[gnu::always_inline]] inline void fft_put(T* p, const FftValue<T>& v) {
  store<kFftLanes<T>>(p, v.re);
  store<kFftLanes<T>>(p + kFftLanes<T>, v.im);
}

// ---- transforms of `radix` values in place ------------------------------------------------------------------------

template <class T>
[[gnu::always_inline]] inline void fft_2(FftValue<T>& a, FftValue<T>& b) {
  FftValue<T> difference = a - b;
  a = a + b;
  b = difference;
}

template <class T>
[[gnu::always_inline]] inline void fft_4(FftValue<T>& a, FftValue<T>& b, FftValue<T>& c, FftValue<T>& d) {
  FftValue<T> s = a + c, t = a - c, u = b + d, v = fft_minus_i(b - d);
  a = s + u;
  b = t + v;
  c = s - u;
  d = t - v;
}

template <class T, int R>
[[gnu::always_inline]] inline void fft_radix(FftValue<T>* a, const T* roots) {
  if constexpr (R == 2) {
    fft_2(a[0], a[1]);
  } else if constexpr (R == 4) {
    fft_4(a[0], a[1], a[2], a[3]);
  } else if constexpr (R == 8) {
    constexpr T h = T(0.70710678118654752440);
    FftValue<T> e[4], o[4];
    for (int j = 0; j < 4; ++j) e[j] = a[j] + a[j + 4], o[j] = a[j] - a[j + 4];
    o[1] = FftValue<T>{o[1].re + o[1].im, o[1].im - o[1].re} * h;
    o[2] = fft_minus_i(o[2]);
    o[3] = FftValue<T>{o[3].im - o[3].re, -o[3].re - o[3].im} * h;
    fft_4(e[0], e[1], e[2], e[3]);
    fft_4(o[0], o[1], o[2], o[3]);
    for (int j = 0; j < 4; ++j) a[2 * j] = e[j], a[2 * j + 1] = o[j];
  } else {  // an odd prime: inputs j and R - j meet the same cosine and opposite sines
    constexpr int H = (R - 1) / 2;
    FftValue<T> sum[H], difference[H], first = a[0];
    for (int j = 1; j <= H; ++j) {
      sum[j - 1] = a[j] + a[R - j];
      difference[j - 1] = fft_minus_i(a[j] - a[R - j]);
      first = first + sum[j - 1];
    }
    FftValue<T> base = a[0];
    a[0] = first;
    for (int k = 1; k <= H; ++k) {
      FftValue<T> even = base, odd{};
      for (int j = 1; j <= H; ++j) {
        const T* w = roots + 2 * (j * k % R);
        even = even + sum[j - 1] * w[0];
        odd = odd + difference[j - 1] * -w[1];
      }
      a[k] = even + odd;
      a[R - k] = even - odd;
    }
  }
}

// ---- passes over a buffer -----------------------------------------------------------------------------------------

template <class T, int R>
void fft_pass(const FftPass<T>& g, const T* x, T* y) {
  constexpr std::int64_t value = 2 * kFftLanes<T>;
  const std::int64_t apart = g.m * g.s * value, along = g.s * value;
  for (std::int64_t p = 0; p < g.m; ++p) {
    const T* from = x + p * along;
    T* to = y + p * R * along;
    const T* w = g.twiddles + p * (R - 1) * 2;
    if (p == 0) {
      for (std::int64_t q = 0; q < along; q += value) {
        FftValue<T> a[R];
        for (int j = 0; j < R; ++j) a[j] = fft_get(from + q + j * apart);
        fft_radix<T, R>(a, g.roots);
        for (int k = 0; k < R; ++k) fft_put(to + q + k * along, a[k]);
      }
    } else {
      for (std::int64_t q = 0; q < along; q += value) {
        FftValue<T> a[R];
        for (int j = 0; j < R; ++j) a[j] = fft_get(from + q + j * apart);
        fft_radix<T, R>(a, g.roots);
        fft_put(to + q, a[0]);
        for (int k = 1; k < R; ++k) fft_put(to + q + k * along, fft_times(a[k], w + 2 * (k - 1)));
      }
    }
  }
}

/// Transforms the lines in `a`, with `b` for the passes; returns the buffer that holds the result.
template <class T>
T* fft_passes(const FftLine<T>& line, T* a, T* b) {
  for (int i = 0; i < line.passes; ++i, std::swap(a, b)) {
    const FftPass<T>& g = line.pass[i];
    switch (g.radix) {
      case 2: fft_pass<T, 2>(g, a, b); break;
      case 3: fft_pass<T, 3>(g, a, b); break;
      case 4: fft_pass<T, 4>(g, a, b); break;
      case 5: fft_pass<T, 5>(g, a, b); break;
      case 7: fft_pass<T, 7>(g, a, b); break;
      case 8: fft_pass<T, 8>(g, a, b); break;
      case 11: fft_pass<T, 11>(g, a, b); break;
      default: fft_pass<T, 13>(g, a, b); break;
    }
  }
  return a;
}

template <class T>
T* fft_line(const FftLine<T>& line, T* a, T* b) {
  if (!line.convolution) return fft_passes(line, a, b);
  constexpr std::int64_t value = 2 * kFftLanes<T>;
  const std::int64_t size = line.convolution->n;
  for (std::int64_t j = 0; j < line.n; ++j) fft_put(a + j * value, fft_times(fft_get(a + j * value), line.chirp + 2 * j));
  for (std::int64_t j = line.n; j < size; ++j) fft_put(a + j * value, FftValue<T>{});
  T* spectrum = fft_passes(*line.convolution, a, b);
  for (std::int64_t j = 0; j < size; ++j) fft_put(spectrum + j * value, fft_times(fft_get(spectrum + j * value), line.kernel + 2 * j));
  T* result = fft_passes(*line.convolution, spectrum, spectrum == a ? b : a);  // backwards: value k lies at size - k, past the n first
  for (std::int64_t k = 0; k < line.n; ++k)
    fft_put(result + k * value, fft_times(fft_get(result + (k ? size - k : 0) * value), line.chirp + 2 * k));
  return result;
}

// ---- between memory and a buffer ----------------------------------------------------------------------------------

template <class V, int... I>
[[gnu::always_inline]] inline V fft_pick(V a, V b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, I...);
}
template <int L, int Start, int... J>
constexpr auto fft_interleave_order(std::integer_sequence<int, J...>) {
  return std::integer_sequence<int, (Start + J / 2 + (J % 2) * L)...>{};
}
/// a0 b0 a1 b1 ... in two vectors.
template <class T>
[[gnu::always_inline]] inline void fft_interleave(FftVec<T> a, FftVec<T> b, FftVec<T>& low, FftVec<T>& high) {
  constexpr int L = kFftLanes<T>;
  using Lanes = std::make_integer_sequence<int, L>;
  low = fft_pick(a, b, fft_interleave_order<L, 0>(Lanes{}));
  high = fft_pick(a, b, fft_interleave_order<L, L / 2>(Lanes{}));
}
template <int First, int... J>
constexpr auto fft_every_second(std::integer_sequence<int, J...>) {
  return std::integer_sequence<int, (First + 2 * J)...>{};
}
template <class T>
[[gnu::always_inline]] inline void fft_deinterleave(FftVec<T> low, FftVec<T> high, FftVec<T>& a, FftVec<T>& b) {
  using Lanes = std::make_integer_sequence<int, kFftLanes<T>>;
  a = fft_pick(low, high, fft_every_second<0>(Lanes{}));
  b = fft_pick(low, high, fft_every_second<1>(Lanes{}));
}

template <int L, int H, int... J>
constexpr auto fft_upper_order(std::integer_sequence<int, J...>) {
  return std::integer_sequence<int, ((J & H) ? L + J - H : J)...>{};
}
template <int L, int H, int... J>
constexpr auto fft_lower_order(std::integer_sequence<int, J...>) {
  return std::integer_sequence<int, ((J & H) ? L + J : J + H)...>{};
}
/// The square matrix of kFftLanes rows, transposed by exchanging blocks of size 1, 2, 4 ...
template <class T, int H = 1>
[[gnu::always_inline]] inline void fft_transpose(FftVec<T>* r) {
  constexpr int L = kFftLanes<T>;
  if constexpr (H < L) {
    using Lanes = std::make_integer_sequence<int, L>;
    for (int i = 0; i < L; ++i)
      if (!(i & H)) {
        FftVec<T> a = r[i], b = r[i + H];
        r[i] = fft_pick(a, b, fft_upper_order<L, H>(Lanes{}));
        r[i + H] = fft_pick(a, b, fft_lower_order<L, H>(Lanes{}));
      }
    fft_transpose<T, 2 * H>(r);
  }
}

/// Vectors of a value whose lines lie side by side: whole ones, or the first `scalars` and zeros.
template <class T, bool Whole>
struct FftBeside {
  static constexpr int L = kFftLanes<T>;
  std::int64_t scalars;
  [[gnu::always_inline]] FftVec<T> get(const T* p, int vector) const {
    const std::int64_t left = scalars - vector * L;
    if (Whole || left >= L) return load<L>(p + vector * L);
    T some[L] = {};
    if (left > 0) std::memcpy(some, p + vector * L, std::size_t(left) * sizeof(T));
    return load<L>(some);
  }
  [[gnu::always_inline]] void put(T* p, int vector, FftVec<T> v) const {
    const std::int64_t left = scalars - vector * L;
    if (Whole || left >= L) return store<L>(p + vector * L, v);
    T some[L];
    store<L>(some, v);
    if (left > 0) std::memcpy(p + vector * L, some, std::size_t(left) * sizeof(T));
  }
};
template <class T>
FftBeside<T, false> fft_part(const FftLanes& m) {
  return {std::int64_t(m.lines) * m.unit};
}

template <class T, bool Whole>
void fft_load_beside(FftBeside<T, Whole> row, const T* p, const FftLanes& m, std::int64_t n, int re, int im, T* to) {
  constexpr int L = kFftLanes<T>;
  p += m.at[0];
  for (std::int64_t j = 0; j < n; ++j, p += m.element, to += 2 * L) {
    FftValue<T> v;
    fft_deinterleave<T>(row.get(p, 0), row.get(p, 1), v.re, v.im);
    store<L>(to + re, v.re);
    store<L>(to + im, v.im);
  }
}
template <class T, bool Whole>
void fft_store_beside(FftBeside<T, Whole> row, const T* from, std::int64_t n, T scale, int re, int im, const FftLanes& m, T* p) {
  constexpr int L = kFftLanes<T>;
  p += m.at[0];
  for (std::int64_t j = 0; j < n; ++j, p += m.element, from += 2 * L) {
    FftVec<T> low, high;
    fft_interleave<T>(load<L>(from + re) * scale, load<L>(from + im) * scale, low, high);
    row.put(p, 0, low);
    row.put(p, 1, high);
  }
}

/// body(j) for the places of `step` values that cover [0, n), the last of which may overlap the one before; gives how many values are done.
template <class Body>
[[gnu::always_inline]] inline std::int64_t fft_places(std::int64_t n, std::int64_t step, const Body& body) {
  if (n < step) return 0;
  for (std::int64_t j = 0; j + step <= n; j += step) body(j);
  if (n % step) body(n - step);
  return n;
}

/// The first `Left` of r, each every other value of two of the last: from those of lines one after the other to those of a place, places by their bits backwards.
template <class T, int N, int Left = N>
[[gnu::always_inline]] inline void fft_part_lines(FftVec<T>* r) {
  if constexpr (Left > 1) {
    FftVec<T> s[N];
    for (int block = 0; block < N; block += Left)
      for (int i = 0; i < Left / 2; ++i) fft_deinterleave<T>(r[block + 2 * i], r[block + 2 * i + 1], s[block + i], s[block + Left / 2 + i]);
    std::memcpy(r, s, sizeof s);
    fft_part_lines<T, N, Left / 2>(r);
  }
}
/// The way back.
template <class T, int N, int Left = 2>
[[gnu::always_inline]] inline void fft_join_lines(FftVec<T>* r) {
  if constexpr (Left <= N) {
    FftVec<T> s[N];
    for (int block = 0; block < N; block += Left)
      for (int i = 0; i < Left / 2; ++i) fft_interleave<T>(r[block + i], r[block + Left / 2 + i], s[block + 2 * i], s[block + 2 * i + 1]);
    std::memcpy(r, s, sizeof s);
    fft_join_lines<T, N, 2 * Left>(r);
  }
}
/// Of scalar i of a line, after its bits are reversed: its place in a buffer's values.
template <class T, int N>
[[gnu::always_inline]] inline int fft_place_of(int i, int re, int im) {
  int scalar = 0;
  for (int bit = 1, back = N / 2; bit < N; bit *= 2, back /= 2) scalar |= i & bit ? back : 0;
  return scalar / 2 * 2 * kFftLanes<T> + (scalar % 2 ? im : re);
}
/// Lines of N scalars, one right after the other, as many as lanes.
template <class T, int N>
void fft_load_short(const T* p, int re, int im, T* to) {
  constexpr int L = kFftLanes<T>;
  FftVec<T> r[N];
  for (int i = 0; i < N; ++i) r[i] = load<L>(p + i * L);
  fft_part_lines<T, N>(r);
  for (int i = 0; i < N; ++i) store<L>(to + fft_place_of<T, N>(i, re, im), r[i]);
}
template <class T, int N>
void fft_store_short(const T* from, T scale, int re, int im, T* p) {
  constexpr int L = kFftLanes<T>;
  FftVec<T> r[N];
  for (int i = 0; i < N; ++i) r[i] = load<L>(from + fft_place_of<T, N>(i, re, im)) * scale;
  fft_join_lines<T, N>(r);
  for (int i = 0; i < N; ++i) store<L>(p + i * L, r[i]);
}
/// Lines of two or four complex values, where they are too short to be transposed as rows.
template <class T>
[[gnu::always_inline]] inline bool fft_short_rows(const FftLanes& m, std::int64_t n) {
  return m.layout == FftLanes::Layout::rows && n < kFftLanes<T> / 2 && (n == 2 || n == 4) && m.at[1] - m.at[0] == 2 * n;
}

/// Complex lines into a buffer. `swap` exchanges real and imaginary parts.
template <class T>
void fft_load(const T* p, const FftLanes& m, std::int64_t n, bool swap, T* to) {
  constexpr int L = kFftLanes<T>, value = 2 * L;
  const int re = swap ? L : 0, im = L - re;
  if (m.layout == FftLanes::Layout::packed) return fft_load_beside(FftBeside<T, true>{}, p, m, n, re, im, to);
  if (m.layout == FftLanes::Layout::beside) return fft_load_beside(fft_part<T>(m), p, m, n, re, im, to);
  if (fft_short_rows<T>(m, n)) return (n == 2 ? fft_load_short<T, 4> : fft_load_short<T, 8>)(p + m.at[0], re, im, to);
  std::int64_t j = 0;
  if (m.layout == FftLanes::Layout::rows) {
    const std::int64_t ahead = L * (m.at[1] - m.at[0]);  // the rows that come next, which no stream of a prefetcher leads to
    j = fft_places(n, L / 2, [&](std::int64_t at) {
      FftVec<T> r[L];
      for (int l = 0; l < L; ++l) {
        r[l] = load<L>(p + m.at[std::size_t(l)] + 2 * at);
        __builtin_prefetch(p + m.at[std::size_t(l)] + 2 * at + ahead, 0, 2);  // to the second cache: in the first, rows a power of two apart put each other out
      }
      fft_transpose<T>(r);
      for (int k = 0; k < L / 2; ++k) {
        store<L>(to + (at + k) * value + re, r[2 * k]);
        store<L>(to + (at + k) * value + im, r[2 * k + 1]);
      }
    });
  }
  for (; j < n; ++j) {
    T* v = to + j * value;
    for (int l = 0; l < L; ++l) {
      const T* from = p + (l < m.lines ? m.at[std::size_t(l)] : 0) + j * m.element;  // a line that is not there has no place
      v[re + l] = l < m.lines ? from[0] : T(0);
      v[im + l] = l < m.lines ? from[1] : T(0);
    }
  }
}

/// A buffer's complex lines, times `scale`, to memory.
template <class T>
void fft_store(const T* from, std::int64_t n, T scale, bool swap, const FftLanes& m, T* p) {
  constexpr int L = kFftLanes<T>, value = 2 * L;
  const int re = swap ? L : 0, im = L - re;
  if (m.layout == FftLanes::Layout::packed) return fft_store_beside(FftBeside<T, true>{}, from, n, scale, re, im, m, p);
  if (m.layout == FftLanes::Layout::beside) return fft_store_beside(fft_part<T>(m), from, n, scale, re, im, m, p);
  if (fft_short_rows<T>(m, n)) return (n == 2 ? fft_store_short<T, 4> : fft_store_short<T, 8>)(from, scale, re, im, p + m.at[0]);
  std::int64_t j = 0;
  if (m.layout == FftLanes::Layout::rows)
    j = fft_places(n, L / 2, [&](std::int64_t at) {
      FftVec<T> r[L];
      for (int k = 0; k < L / 2; ++k) {
        r[2 * k] = load<L>(from + (at + k) * value + re) * scale;
        r[2 * k + 1] = load<L>(from + (at + k) * value + im) * scale;
      }
      fft_transpose<T>(r);
      for (int l = 0; l < L; ++l) {
        store<L>(p + m.at[std::size_t(l)] + 2 * at, r[l]);
        __builtin_prefetch(p + m.at[std::size_t(l)] + 2 * at + L * (m.at[1] - m.at[0]), 0, 2);
      }
    });
  for (; j < n; ++j)
    for (int l = 0; l < m.lines; ++l) {
      T* to = p + m.at[std::size_t(l)] + j * m.element;
      to[0] = from[j * value + re + l] * scale;
      to[1] = from[j * value + im + l] * scale;
    }
}

/// Pairs of real lines into a buffer, as real and imaginary parts.
template <class T>
void fft_load_real(const T* p, const FftLanes& m, std::int64_t n, T* to) {
  constexpr int L = kFftLanes<T>, value = 2 * L;
  if (m.layout == FftLanes::Layout::packed || m.layout == FftLanes::Layout::beside) return fft_load(p, m, n, false, to);
  std::int64_t j = 0;
  if (m.layout == FftLanes::Layout::rows)
    j = fft_places(n, L, [&](std::int64_t at) {
      for (int part = 0; part < 2; ++part) {
        FftVec<T> r[L];
        for (int l = 0; l < L; ++l) r[l] = load<L>(p + m.at[std::size_t(2 * l + part)] + at);
        fft_transpose<T>(r);
        for (int k = 0; k < L; ++k) store<L>(to + (at + k) * value + part * L, r[k]);
      }
    });
  for (; j < n; ++j)
    for (int l = 0; l < L; ++l)
      for (int part = 0; part < 2; ++part) {
        const int line = 2 * l + part;
        to[j * value + part * L + l] = line < m.lines ? p[m.at[std::size_t(line)] + j * m.element] : T(0);
      }
}

/// A buffer's parts, exchanged where `swap`, as pairs of real lines, times `scale`, to memory.
template <class T>
void fft_store_real(const T* from, std::int64_t n, T scale, bool swap, const FftLanes& m, T* p) {
  constexpr int L = kFftLanes<T>, value = 2 * L;
  if (m.layout == FftLanes::Layout::packed || m.layout == FftLanes::Layout::beside) return fft_store(from, n, scale, swap, m, p);
  const int first = swap ? L : 0;
  std::int64_t j = 0;
  if (m.layout == FftLanes::Layout::rows)
    j = fft_places(n, L, [&](std::int64_t at) {
      for (int part = 0; part < 2; ++part) {
        const int offset = part ? L - first : first;
        FftVec<T> r[L];
        for (int k = 0; k < L; ++k) r[k] = load<L>(from + (at + k) * value + offset) * scale;
        fft_transpose<T>(r);
        for (int l = 0; l < L; ++l) store<L>(p + m.at[std::size_t(2 * l + part)] + at, r[l]);
      }
    });
  for (; j < n; ++j)
    for (int line = 0; line < m.lines; ++line) {
      const int offset = line % 2 ? L - first : first;
      p[m.at[std::size_t(line)] + j * m.element] = from[j * value + offset + line / 2] * scale;
    }
}

/// The spectra of a pair of real lines, from that of the complex line they make: halves of z[k] +- conj z[n - k], times
/// `scale`, and `interior` where k is not its own mirror.
template <class T>
[[gnu::always_inline]] inline void fft_untangle(const T* z, std::int64_t n, std::int64_t k, T scale, T interior, FftValue<T>& a, FftValue<T>& b) {
  const T half = k == 0 || 2 * k == n ? scale / 2 : scale * interior / 2;
  constexpr std::int64_t value = 2 * kFftLanes<T>;
  const FftValue<T> here = fft_get(z + k * value), mirror = fft_get(z + (k ? n - k : 0) * value);
  a = FftValue<T>{here.re + mirror.re, here.im - mirror.im} * half;
  b = FftValue<T>{here.im + mirror.im, mirror.re - here.re} * half;
}

template <class T, bool Whole>
void fft_store_spectra_beside(FftBeside<T, Whole> row, const T* z, std::int64_t n, std::int64_t count, T scale, T interior, const FftLanes& m, T* p) {
  FftValue<T> a, b;
  p += m.at[0];
  for (std::int64_t k = 0; k < count; ++k, p += m.element) {
    fft_untangle(z, n, k, scale, interior, a, b);
    FftVec<T> re[2], im[2], low, high;
    fft_interleave<T>(a.re, b.re, re[0], re[1]);
    fft_interleave<T>(a.im, b.im, im[0], im[1]);
    for (int h = 0; h < 2; ++h) {
      fft_interleave<T>(re[h], im[h], low, high);
      row.put(p, 2 * h, low);
      row.put(p, 2 * h + 1, high);
    }
  }
}

/// The first `count` values of the transforms of pairs of real lines; z: of the complex lines that they made.
template <class T>
void fft_store_spectra(const T* z, std::int64_t n, std::int64_t count, T scale, T interior, const FftLanes& m, T* p) {
  constexpr int L = kFftLanes<T>;
  if (m.layout == FftLanes::Layout::packed) return fft_store_spectra_beside(FftBeside<T, true>{}, z, n, count, scale, interior, m, p);
  if (m.layout == FftLanes::Layout::beside) return fft_store_spectra_beside(fft_part<T>(m), z, n, count, scale, interior, m, p);
  FftValue<T> a, b;
  std::int64_t k = 0;
  if (m.layout == FftLanes::Layout::rows)
    k = fft_places(count, L / 2, [&](std::int64_t at) {
      FftVec<T> r[L], s[L];
      for (int i = 0; i < L / 2; ++i) {
        fft_untangle(z, n, at + i, scale, interior, a, b);
        r[2 * i] = a.re, r[2 * i + 1] = a.im, s[2 * i] = b.re, s[2 * i + 1] = b.im;
      }
      fft_transpose<T>(r);
      fft_transpose<T>(s);
      for (int l = 0; l < L; ++l) {
        store<L>(p + m.at[std::size_t(2 * l)] + 2 * at, r[l]);
        store<L>(p + m.at[std::size_t(2 * l + 1)] + 2 * at, s[l]);
      }
    });
  for (; k < count; ++k) {
    fft_untangle(z, n, k, scale, interior, a, b);
    for (int line = 0; line < m.lines; ++line) {
      T* to = p + m.at[std::size_t(line)] + k * m.element;
      const FftValue<T>& v = line % 2 ? b : a;
      to[0] = v.re[line / 2];
      to[1] = v.im[line / 2];
    }
  }
}

/// z[k] = a + i b and z[n - k] = conj a + i conj b, parts exchanged for the inverse transform. The imaginary parts of values that
/// are their own mirror, of 0 and n / 2, count as zero; the others are multiplied by `interior`.
template <class T>
[[gnu::always_inline]] inline void fft_tangle(T* z, std::int64_t n, std::int64_t k, T interior, FftValue<T> a, FftValue<T> b) {
  constexpr std::int64_t value = 2 * kFftLanes<T>;
  if (k == 0 || 2 * k == n) {
    a.im = b.im = FftVec<T>{};
  } else {
    a = a * interior;
    b = b * interior;
  }
  fft_put(z + k * value, FftValue<T>{a.im + b.re, a.re - b.im});
  if (k != 0 && 2 * k != n) fft_put(z + (n - k) * value, FftValue<T>{b.re - a.im, a.re + b.im});
}

template <class T, bool Whole>
void fft_load_spectra_beside(FftBeside<T, Whole> row, const T* p, const FftLanes& m, std::int64_t n, std::int64_t count, T interior, T* z) {
  p += m.at[0];
  for (std::int64_t k = 0; k < count; ++k, p += m.element) {
    FftVec<T> re[2], im[2];
    FftValue<T> a, b;
    for (int h = 0; h < 2; ++h) fft_deinterleave<T>(row.get(p, 2 * h), row.get(p, 2 * h + 1), re[h], im[h]);
    fft_deinterleave<T>(re[0], re[1], a.re, b.re);
    fft_deinterleave<T>(im[0], im[1], a.im, b.im);
    fft_tangle(z, n, k, interior, a, b);
  }
}

/// The first `count` values of the spectra of pairs of real lines into a buffer, ready for the inverse transform (parts exchanged);
/// the others are zero.
template <class T>
void fft_load_spectra(const T* p, const FftLanes& m, std::int64_t n, std::int64_t count, T interior, T* z) {
  constexpr int L = kFftLanes<T>;
  FftValue<T> a{}, b{};
  for (std::int64_t k = count; k <= n / 2; ++k) fft_tangle(z, n, k, interior, a, b);
  if (m.layout == FftLanes::Layout::packed) return fft_load_spectra_beside(FftBeside<T, true>{}, p, m, n, count, interior, z);
  if (m.layout == FftLanes::Layout::beside) return fft_load_spectra_beside(fft_part<T>(m), p, m, n, count, interior, z);
  std::int64_t k = 0;
  if (m.layout == FftLanes::Layout::rows)
    k = fft_places(count, L / 2, [&](std::int64_t at) {
      FftVec<T> r[L], s[L];
      for (int l = 0; l < L; ++l) {
        r[l] = load<L>(p + m.at[std::size_t(2 * l)] + 2 * at);
        s[l] = load<L>(p + m.at[std::size_t(2 * l + 1)] + 2 * at);
      }
      fft_transpose<T>(r);
      fft_transpose<T>(s);
      for (int i = 0; i < L / 2; ++i) fft_tangle(z, n, at + i, interior, FftValue<T>{r[2 * i], r[2 * i + 1]}, FftValue<T>{s[2 * i], s[2 * i + 1]});
    });
  for (; k < count; ++k) {
    a = b = FftValue<T>{};
    for (int line = 0; line < m.lines; ++line) {
      const T* from = p + m.at[std::size_t(line)] + k * m.element;
      FftValue<T>& v = line % 2 ? b : a;
      v.re[line / 2] = from[0];
      v.im[line / 2] = from[1];
    }
    fft_tangle(z, n, k, interior, a, b);
  }
}

/// Every value times its own of a table: value j of lane l by the complex number at table[j * row + 2 l].
template <class T>
void fft_turn(T* a, std::int64_t n, const T* table, std::int64_t row, int lines) {
  constexpr int L = kFftLanes<T>, value = 2 * L;
  for (std::int64_t j = 0; j < n; ++j, a += value, table += row) {
    FftValue<T> w;
    if (lines == L) {
      fft_deinterleave<T>(load<L>(table), load<L>(table + L), w.re, w.im);
    } else {
      w = FftValue<T>{};
      for (int l = 0; l < lines; ++l) w.re[l] = table[2 * l], w.im[l] = table[2 * l + 1];
    }
    const FftValue<T> v = fft_get(a);
    fft_put(a, FftValue<T>{v.re * w.re - v.im * w.im, v.im * w.re + v.re * w.im});
  }
}

// ---- a real line as a complex one of half the size ------------------------------------------------------------------

template <int... J>
constexpr auto fft_backwards(std::integer_sequence<int, J...>) {
  return std::integer_sequence<int, (int(sizeof...(J)) - 1 - J)...>{};
}
/// kFftLanes complex values that lie one after the other; `Back`: from the last to the first.
template <bool Back, class T>
[[gnu::always_inline]] inline FftValue<T> fft_get_row(const T* p) {
  constexpr int L = kFftLanes<T>;
  constexpr auto order = fft_backwards(std::make_integer_sequence<int, L>{});
  FftValue<T> v;
  fft_deinterleave<T>(load<L>(p), load<L>(p + L), v.re, v.im);
  if constexpr (Back) v = {fft_pick(v.re, v.re, order), fft_pick(v.im, v.im, order)};
  return v;
}
template <bool Back, class T>
[[gnu::always_inline]] inline void fft_put_row(T* p, FftValue<T> v) {
  constexpr int L = kFftLanes<T>;
  constexpr auto order = fft_backwards(std::make_integer_sequence<int, L>{});
  if constexpr (Back) v = {fft_pick(v.re, v.re, order), fft_pick(v.im, v.im, order)};
  FftVec<T> low, high;
  fft_interleave<T>(v.re, v.im, low, high);
  store<L>(p, low);
  store<L>(p + L, high);
}

/// body(k) for single k in [begin, end), rows(k) for L of them from k on whose mirrors, half - k and downwards, are others.
template <int L, class One, class Rows>
[[gnu::always_inline]] inline void fft_mirrored(std::int64_t half, std::int64_t begin, std::int64_t end, const One& one, const Rows& rows) {
  std::int64_t k = begin;
  if (k == 0 && k < end) one(k++);
  for (; k + L <= end && 2 * (k + L - 1) < half; k += L) rows(k);
  for (; k < end; ++k) one(k);
}

/// In place, for k in [begin, end) of [0, half / 2]: values k and half - k of the transform of even values as real and odd ones as imaginary parts become those of
/// the real line. turns: [half / 2 + 1] complex, exp(-pi i k / half).
template <class T>
void fft_untangle_half(T* z, std::int64_t half, const T* turns, T interior, std::int64_t begin, std::int64_t end) {
  const auto whole = [](auto& ar, auto& ai, auto& br, auto& bi, const auto& wr, const auto& wi, T w) {
    const auto er = (ar + br) * T(0.5), ei = (ai - bi) * T(0.5), odd_r = (ai + bi) * T(0.5), odd_i = (br - ar) * T(0.5);
    const auto tr = odd_r * wr - odd_i * wi, ti = odd_r * wi + odd_i * wr;
    ar = (er + tr) * w, ai = (ei + ti) * w, br = (er - tr) * w, bi = (ti - ei) * w;
  };
  fft_mirrored<kFftLanes<T>>(
      half, begin, end,
      [&](std::int64_t k) {
        const std::int64_t m = half - k, mirror = k == 0 ? 0 : m;  // value half is value 0
        T ar = z[2 * k], ai = z[2 * k + 1], br = z[2 * mirror], bi = z[2 * mirror + 1];
        whole(ar, ai, br, bi, turns[2 * k], turns[2 * k + 1], k == 0 ? T(1) : interior);
        z[2 * k] = ar, z[2 * k + 1] = ai;
        if (k != m) z[2 * m] = br, z[2 * m + 1] = bi;
      },
      [&](std::int64_t k) {
        T *const low = z + 2 * k, *const high = z + 2 * (half - k - kFftLanes<T> + 1);
        FftValue<T> a = fft_get_row<false>(low), b = fft_get_row<true>(high);
        const FftValue<T> w = fft_get_row<false>(turns + 2 * k);
        whole(a.re, a.im, b.re, b.im, w.re, w.im, interior);
        fft_put_row<false>(low, a);
        fft_put_row<true>(high, b);
      });
}

/// The way back: values of the spectrum x of a real line to those of which the inverse transform has even and odd values as its parts.
template <class T>
void fft_tangle_half(const T* x, T* z, std::int64_t half, const T* turns, T interior, std::int64_t begin, std::int64_t end) {
  const auto parts = [](auto& ar, auto& ai, auto& br, auto& bi, const auto& wr, const auto& wi, T w) {
    ar = ar * w, ai = ai * w, br = br * w, bi = bi * w;
    const auto er = ar + br, ei = ai - bi, dr = ar - br, di = ai + bi;
    const auto odd_r = dr * wr + di * wi, odd_i = di * wr - dr * wi;  // by the conjugate turn
    ar = er - odd_i, ai = ei + odd_r, br = er + odd_i, bi = odd_r - ei;
  };
  fft_mirrored<kFftLanes<T>>(
      half, begin, end,
      [&](std::int64_t k) {
        const std::int64_t m = half - k;
        const bool end_values = k == 0;  // whose imaginary parts count as zero
        T ar = x[2 * k], ai = end_values ? T(0) : x[2 * k + 1], br = x[2 * m], bi = end_values ? T(0) : x[2 * m + 1];
        parts(ar, ai, br, bi, turns[2 * k], turns[2 * k + 1], end_values ? T(1) : interior);
        z[2 * k] = ar, z[2 * k + 1] = ai;
        if (k != m && k != 0) z[2 * m] = br, z[2 * m + 1] = bi;
      },
      [&](std::int64_t k) {
        const std::int64_t high = 2 * (half - k - kFftLanes<T> + 1);
        FftValue<T> a = fft_get_row<false>(x + 2 * k), b = fft_get_row<true>(x + high);
        const FftValue<T> w = fft_get_row<false>(turns + 2 * k);
        parts(a.re, a.im, b.re, b.im, w.re, w.im, interior);
        fft_put_row<false>(z + 2 * k, a);
        fft_put_row<true>(z + high, b);
      });
}

}  // namespace tenon::TENON_ISA

/// What the loops of the discrete Fourier transform share with the program around them (private).
///
/// A line is one transform of n complex values. The loops transform as many lines as a vector has lanes, side by side: value j of
/// all lines is one vector of real parts followed by one of imaginary parts, and no loop ever shuffles within a vector. Stockham's
/// self-sorting passes (Cochran et al. 1967) go from one buffer to the other and back, so there is no reordering pass:
///     y[q + s (r p + k)] = w^(p k) sum_j x[q + s (p + m j)] exp(-2 pi i j k / r),   w = exp(-2 pi i / (r m)),   p < m, q < s, k < r.
/// Sizes with a prime factor beyond 13 go by Bluestein's chirp (1970), a convolution of a smooth size.
/// Everything here is forward; an inverse transform is a forward one with real and imaginary parts exchanged on the way in and out.
#pragma once

#include <array>
#include <cstdint>

namespace tenon::cpu {

inline constexpr int kFftMostLanes = 16;

template <class T>
struct FftPass {
  int radix;              ///< 2, 3, 4, 5, 7, 8, 11 or 13
  std::int64_t m, s;      ///< radix * m * s = n
  const T* twiddles;      ///< [m][radix - 1] complex: w^(p k), k from 1
  const T* roots;         ///< [radix] complex: exp(-2 pi i j / radix)
};

template <class T>
struct FftLine {
  std::int64_t n = 0;
  int passes = 0;
  const FftPass<T>* pass = nullptr;
  // Bluestein, where `convolution` is not null: its size is at least 2 n - 1
  const FftLine* convolution = nullptr;
  const T* chirp = nullptr;   ///< [n] complex: exp(-pi i j^2 / n)
  const T* kernel = nullptr;  ///< [convolution->n] complex: the transform of the conjugate chirp, over the size
  std::int64_t buffer() const { return convolution ? convolution->n : n; }  ///< values that each of the two buffers must hold
};

/// How the lanes of a group lie in memory. Strides and offsets are in scalars (a complex value is two). Complex lines are lane l's at
/// at[l]; real lines come in pairs, line 2 l as the real and line 2 l + 1 as the imaginary part of lane l.
struct FftLanes {
  enum class Layout {
    packed,  ///< all lanes there and side by side, at[l] = at[0] + l values
    beside,  ///< side by side, too, but `lines` of them
    rows,    ///< all lanes there, each contiguous in itself
    any      ///< `lines` of them, anywhere
  };
  Layout layout = Layout::any;
  int lines = 0;
  int unit = 2;              ///< scalars of a value in memory
  std::int64_t element = 0;  ///< from one value of a line to the next
  std::array<std::int64_t, 2 * kFftMostLanes> at;  ///< of lines side by side, the first alone; not set beyond `lines`
};

}  // namespace tenon::cpu

/// Products of modes on the CPU: interleaved real and imaginary parts, multiplied without a shuffle in the inner loops.
#include <algorithm>

#include "ops/fft_kernels.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kProductsATask = 1 << 15;
constexpr std::int64_t kBlock = 256;  ///< scalars of a row at a time

/// Complex rows of a batch, seen as scalars: sample n's row of mode k starts at (n * modes + k) * width.
template <class T>
const T* row(const T* base, const ModeSizes& s, std::int64_t n, std::int64_t k, std::int64_t width) {
  return base + (n * s.k + k) * width;
}

/// (im, -re) of each number: what its conjugate's product with another adds to the imaginary part.
template <class T>
void turned(const T* z, std::int64_t scalars, T* to) {
  for (std::int64_t j = 0; j < scalars; j += 2) {
    to[j] = z[j + 1];
    to[j + 1] = -z[j];
  }
}

template <class T>
void one_y(const ModeSizes& s, std::int64_t k, const T* x, const T* w, T* y) {
  const std::int64_t width = 2 * s.out;
  T by_re[kBlock], by_im[kBlock];
  for (std::int64_t n = 0; n < s.n; ++n) {
    const T* values = row(x, s, n, k, 2 * s.in);
    T* to = y + (n * s.k + k) * width;
    for (std::int64_t begin = 0; begin < width; begin += kBlock) {
      const std::int64_t m = std::min(kBlock, width - begin);
      std::fill(by_re, by_re + m, T(0));
      std::fill(by_im, by_im + m, T(0));
      for (std::int64_t i = 0; i < s.in; ++i) {
        const T re = values[2 * i], im = values[2 * i + 1];
        const T* weights = w + (k * s.in + i) * width + begin;
        for (std::int64_t j = 0; j < m; ++j) {
          by_re[j] += re * weights[j];
          by_im[j] += im * weights[j];
        }
      }
      for (std::int64_t j = 0; j < m; j += 2) {
        to[begin + j] = by_re[j] - by_im[j + 1];
        to[begin + j + 1] = by_re[j + 1] + by_im[j];
      }
    }
  }
}

/// Sum of a[j] b[j], in sixteen interleaved sums that are added in order.
template <class T>
T dot(const T* a, const T* b, std::int64_t n) {
  T lanes[16] = {};
  std::int64_t j = 0;
  for (; j + 16 <= n; j += 16)
    for (int l = 0; l < 16; ++l) lanes[l] += a[j + l] * b[j + l];
  for (; j < n; ++j) lanes[j % 16] += a[j] * b[j];
  for (int width = 8; width > 0; width /= 2)
    for (int l = 0; l < width; ++l) lanes[l] += lanes[l + width];
  return lanes[0];
}

template <class T>
void one_x(const ModeSizes& s, std::int64_t k, const T* y, const T* w, T* x, T* space) {
  const std::int64_t width = 2 * s.out;
  for (std::int64_t n = 0; n < s.n; ++n) {
    const T* values = row(y, s, n, k, width);
    turned(values, width, space);
    T* to = x + (n * s.k + k) * 2 * s.in;
    for (std::int64_t i = 0; i < s.in; ++i) {
      const T* weights = w + (k * s.in + i) * width;
      to[2 * i] = dot(values, weights, width);
      to[2 * i + 1] = dot(space, weights, width);
    }
  }
  // (im, -re) . w is im wr - re wi: the imaginary part of y conj(w), as it should be
}

template <class T>
void one_w(const ModeSizes& s, std::int64_t k, const T* x, const T* y, T* w, T* space) {
  const std::int64_t width = 2 * s.out;
  for (std::int64_t n = 0; n < s.n; ++n) turned(row(y, s, n, k, width), width, space + n * width);
  for (std::int64_t i = 0; i < s.in; ++i) {
    T* to = w + (k * s.in + i) * width;
    for (std::int64_t n = 0; n < s.n; ++n) {
      const T re = row(x, s, n, k, 2 * s.in)[2 * i], im = row(x, s, n, k, 2 * s.in)[2 * i + 1];
      const T *values = row(y, s, n, k, width), *crossed = space + n * width;
      if (n == 0) {
        for (std::int64_t j = 0; j < width; ++j) to[j] = re * values[j] + im * crossed[j];
      } else {
        for (std::int64_t j = 0; j < width; ++j) to[j] += re * values[j] + im * crossed[j];
      }
    }
    if (s.n == 0) std::fill(to, to + width, T(0));
  }
}

template <class T>
Kernel make(ModeProduct which, const ModeSizes& s) {
  const std::int64_t grain = std::max<std::int64_t>(1, kProductsATask / std::max<std::int64_t>(1, s.n * s.in * s.out));
  return [=](void* const* p) {
    const T *a = static_cast<const T*>(p[0]), *b = static_cast<const T*>(p[1]);
    T* to = static_cast<T*>(p[2]);
    parallel_blocks(s.k, grain, [&](std::int64_t begin, std::int64_t end) {
      thread_local std::vector<T> space;
      if (which != ModeProduct::y) space.resize(std::max(space.size(), std::size_t(2 * s.out * std::max<std::int64_t>(s.n, 1))));
      for (std::int64_t k = begin; k < end; ++k) {
        if (which == ModeProduct::y)
          one_y(s, k, a, b, to);
        else if (which == ModeProduct::x)
          one_x(s, k, a, b, to, space.data());
        else
          one_w(s, k, a, b, to, space.data());
      }
    });
  };
}

Kernel make_cpu(ModeProduct which, const ModeSizes& s) {
  return s.dtype == DType::c128 ? make<double>(which, s) : make<float>(which, s);
}

}  // namespace

KernelSlot<ModeProduct, const ModeSizes&> mode_product_kernel{"mode_product", make_cpu};

}  // namespace tenon

/// Discrete Fourier transforms along one axis on the CPU (private).
///
/// X[k] = scale * sum_j x[j] exp(-+ 2 pi i j k / n), minus for forward, along the middle axis of [outer, n, inner]. A real transform
/// gives, and an inverse real one takes, the values 0 to n / 2; in the latter the imaginary parts of values that are their own mirror
/// are ignored. Any n >= 1. The bits do not depend on the thread count. Programs hold tables and may be used from many threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tenon/dtype.hpp"
#include "tenon/export.hpp"

namespace tenon::cpu {

enum class FftKind { complex, real_forward, real_inverse };

struct FftGeometry {
  FftKind kind = FftKind::complex;
  bool inverse = false;       ///< of complex; the others say it in their kind
  DType scalar = DType::f32;  ///< f32 or f64
  std::int64_t outer = 1, n = 1, inner = 1;
  std::int64_t half() const { return n / 2 + 1; }
};

class TENON_API FftProgram {
 public:
  virtual ~FftProgram();
  /// `in` and `out` may be the same for complex transforms. The workspace holds workspace_bytes() and 64-byte lines.
  virtual void run(const void* in, void* out, void* workspace, double scale) const = 0;
  virtual std::string describe() const = 0;
  std::size_t workspace_bytes() const { return workspace_bytes_; }

 protected:
  std::size_t workspace_bytes_ = 0;
};

TENON_API std::shared_ptr<const FftProgram> make_fft(const FftGeometry& g);

}  // namespace tenon::cpu

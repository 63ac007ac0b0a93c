/// Discrete Fourier transforms along one axis on the CPU (private).
///
/// Any n >= 1. The bits do not depend on the thread count. Programs hold tables and may be used from many threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "backend/fft_geometry.hpp"
#include "tenon/export.hpp"

namespace tenon::cpu {

class TENON_API FftProgram {
 public:
  virtual ~FftProgram();
  /// `in` and `out` may be the same for complex transforms that keep their whole spectrum. The workspace holds workspace_bytes() and 64-byte lines.
  virtual void run(const void* in, void* out, void* workspace, double scale) const = 0;
  virtual std::string describe() const = 0;
  std::size_t workspace_bytes() const { return workspace_bytes_; }

 protected:
  std::size_t workspace_bytes_ = 0;
};

TENON_API std::shared_ptr<const FftProgram> make_fft(const FftGeometry& g);

}  // namespace tenon::cpu

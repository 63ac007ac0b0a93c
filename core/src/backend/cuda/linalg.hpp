/// What the files of linear algebra on CUDA share: our own kernels by name, and verdicts on matrices (private).
#pragma once

#include "backend/cuda/device_memory.hpp"
#include "ops/linalg_kernels.hpp"

namespace tenon::cuda {

/// The first matrix that a kernel refuses. Kernels write NaN for it; outside a recorded step the host then throws what the CPU would.
class Verdict {
 public:
  static constexpr unsigned long long kNone = ~0ull;
  Verdict() : memory_(std::make_shared<const DeviceMemory>(sizeof(unsigned long long))) {}
  /// Device memory: (matrix << 32) + reason, reason > 0, lowered with atomicMin.
  unsigned long long* first() const { return memory_->as<unsigned long long>(); }
  void clear() const;  ///< before the kernel, in stream order
  struct Refused {
    std::int64_t matrix, reason;  ///< reason 0: none was refused
  };
  /// Waits for the kernel; nothing is known, or waited for, while a step is being captured.
  Refused read() const;

 private:
  std::shared_ptr<const DeviceMemory> memory_;
};

/// Our own kernels, for any size: one block a matrix, in shared memory where it fits.
namespace own {
Kernel cholesky(const linalg::Matrices& p);
Kernel triangular_solve(const linalg::System& p);
Kernel lu(const linalg::Matrices& p);
Kernel lu_solve(const linalg::System& p);
Kernel qr(const linalg::Matrices& p);
Kernel svd(const linalg::Matrices& p);
Kernel eigh(const linalg::Matrices& p);
}  // namespace own

void install_linalg_orthogonal();
void install_linalg_exp();

}  // namespace tenon::cuda

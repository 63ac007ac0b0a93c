/// Kernel slots of linear algebra (private). All f64, dense, row major: `count` matrices one after the other.
#pragma once

#include "tenon/kernel.hpp"

namespace tenon::linalg {

struct Matrices {
  const char* op;  ///< opens the error of a matrix that is refused; static text
  std::int64_t count, m, n;
  bool flag = false;  ///< qr: complete; eigh: vectors too; lu: a singular matrix is an error; svd, on the CPU: the values alone
};
struct System {
  const char* op;
  std::int64_t count, matrices, n, k;  ///< right-hand sides [count, n, k]; matrices is count, or 1 for all of them
  bool upper = false, transposed = false, unit = false;
  double tolerance = 0;  ///< a triangle whose diagonal spans more than this is refused
};
struct TriangleWeights {
  std::int64_t count, m, n;
  double lower, diagonal, upper;
};

/// a -> l
extern TENON_API KernelSlot<const Matrices&> cholesky_kernel;
/// t, b -> x
extern TENON_API KernelSlot<const System&> triangular_solve_kernel;
/// a -> lu, pivots i32 [count, n]
extern TENON_API KernelSlot<const Matrices&> lu_kernel;
/// lu, pivots, b -> x
extern TENON_API KernelSlot<const System&> lu_solve_kernel;
/// lu, pivots -> sign, log |det|, det [count]
extern TENON_API KernelSlot<const Matrices&> lu_det_kernel;
/// a -> q, r, workspace
extern TENON_API KernelSlot<const Matrices&> qr_kernel;
/// a -> u, s, vh, workspace
extern TENON_API KernelSlot<const Matrices&> svd_kernel;
/// a -> w, v (empty without vectors), workspace
extern TENON_API KernelSlot<const Matrices&> eigh_kernel;
/// a -> exp(a), workspace
extern TENON_API KernelSlot<const Matrices&> matrix_exp_kernel;
/// x -> y
extern TENON_API KernelSlot<const TriangleWeights&> triangle_weights_kernel;

/// f64 values of workspace, by sizes and the kind of device alone: one share a task, however many matrices a task does.
TENON_API std::int64_t qr_workspace(const Matrices& p, DeviceType device);
TENON_API std::int64_t svd_workspace(const Matrices& p, DeviceType device);
TENON_API std::int64_t eigh_workspace(const Matrices& p, DeviceType device);
TENON_API std::int64_t matrix_exp_workspace(const Matrices& p, DeviceType device);

}  // namespace tenon::linalg

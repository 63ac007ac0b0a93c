/// The CPU kernels of linear algebra: matrices in parallel, each on one thread.
#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/cpu/linalg/factor.hpp"
#include "ops/linalg_kernels.hpp"
#include "ops/linalg_refuse.hpp"

namespace tenon::linalg {
namespace {

using namespace cpu::linalg;

constexpr std::int64_t kMostTasks = 64;
constexpr double kWorthATask = 50e3;  ///< flops

/// Tasks by sizes alone: their shares of a workspace, and the order of errors, do not depend on threads.
std::int64_t tasks_of(std::int64_t count, double flops_each) {
  const double wanted = double(count) * flops_each / kWorthATask;
  return std::clamp<std::int64_t>(std::int64_t(std::min(wanted, double(kMostTasks))), 1, std::max<std::int64_t>(count, 1));
}

std::int64_t tasks_of(const Matrices& p) {
  return tasks_of(p.count, double(p.m) * double(p.n) * double(std::min(p.m, p.n)) + 100);
}

/// body(i, task) for every matrix i.
template <class Body>
void for_matrices(std::int64_t count, std::int64_t tasks, const Body& body) {
  const auto run = [&](std::int64_t task) {
    for (std::int64_t i = count * task / tasks, end = count * (task + 1) / tasks; i < end; ++i) body(i, task);
  };
  if (tasks == 1) return run(0);  // one matrix may use all threads inside
  parallel_for(tasks, run);
}

const double* in(void* const* p, int i) {
  return static_cast<const double*>(p[i]);
}
double* out(void* const* p, int i) {
  return static_cast<double*>(p[i]);
}

/// exp of a [n, n] into e. memory: 6 n n doubles, then n pivots.
void matrix_exp(std::int64_t n, const double* a, double* e, double* memory) {
  static constexpr double b[] = {64764752532480000.,
                                 32382376266240000.,
                                 7771770303897600.,
                                 1187353796428800.,
                                 129060195264000.,
                                 10559470521600.,
                                 670442572800.,
                                 33522128640.,
                                 1323241920.,
                                 40840800.,
                                 960960.,
                                 16380.,
                                 182.,
                                 1.};
  constexpr double kTheta = 5.371920351148152;  // up to this 1-norm degree 13 is exact to the last bit (Higham 2005, table 2.3)
  const std::int64_t size = n * n;
  double *x = memory, *x2 = x + size, *x4 = x2 + size, *x6 = x4 + size, *u = x6 + size, *v = u + size;
  auto* pivots = reinterpret_cast<std::int32_t*>(v + size);
  const auto product = [n](const double* l, const double* r, double* to) {
    cpu::linalg::product({n, n, n, n, 1, n, 1, n}, l, r, to, cpu::Store::set);
  };
  double norm = 0;
  for (std::int64_t j = 0; j < n; ++j) {
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += std::abs(a[i * n + j]);
    norm = sum > norm || sum != sum ? sum : norm;
  }
  if (!std::isfinite(norm)) return std::fill(e, e + size, std::numeric_limits<double>::quiet_NaN());
  const int squarings = norm > kTheta ? std::max(0, int(std::ceil(std::log2(norm / kTheta)))) : 0;
  const double scale = std::ldexp(1.0, -squarings);
  for (std::int64_t i = 0; i < size; ++i) x[i] = a[i] * scale;
  product(x, x, x2);
  product(x2, x2, x4);
  product(x2, x4, x6);
  // u = x (x6 (b13 x6 + b11 x4 + b9 x2) + b7 x6 + b5 x4 + b3 x2 + b1), v the like with even coefficients
  const auto half = [&](int odd, double* to) {
    for (std::int64_t i = 0; i < size; ++i) e[i] = b[12 + odd] * x6[i] + b[10 + odd] * x4[i] + b[8 + odd] * x2[i];
    product(x6, e, to);
    for (std::int64_t i = 0; i < size; ++i) to[i] += b[6 + odd] * x6[i] + b[4 + odd] * x4[i] + b[2 + odd] * x2[i];
    for (std::int64_t i = 0; i < n; ++i) to[i * (n + 1)] += b[odd];
  };
  half(1, v);
  product(x, v, u);
  half(0, v);
  for (std::int64_t i = 0; i < size; ++i) {
    e[i] = v[i] + u[i];
    x[i] = v[i] - u[i];
  }
  lu(n, x, n, pivots);
  lu_solve(false, n, n, x, pivots, e);
  for (int s = 0; s < squarings; ++s) {
    std::copy(e, e + size, x);
    product(x, x, e);
  }
}

}  // namespace

namespace {

/// Values of a share.
std::int64_t qr_share(const Matrices& p) {
  return orthogonalise_size(p.m, p.n);
}
std::int64_t eigh_share(const Matrices& p) {
  return eigh_size(p.n) + p.n * p.n;
}
std::int64_t matrix_exp_share(const Matrices& p) {
  return 6 * p.n * p.n + (p.n + 1) / 2;
}

/// A GPU has a block a matrix, and room for several blocks on each of more than a hundred multiprocessors: as many shares, within 256 MB.
std::int64_t workspace(const Matrices& p, std::int64_t share, DeviceType device) {
  constexpr std::int64_t kMostBlocks = 528, kMostValues = std::int64_t(1) << 25;
  std::int64_t shares = tasks_of(p);
  if (device != DeviceType::cpu) shares = std::max(shares, std::min({p.count, kMostBlocks, kMostValues / std::max<std::int64_t>(share, 1)}));
  return shares * share;
}

}  // namespace

std::int64_t qr_workspace(const Matrices& p, DeviceType device) {
  return workspace(p, qr_share(p), device);
}
std::int64_t svd_workspace(const Matrices& p, DeviceType device) {
  return workspace(p, svd_size(p.m, p.n), device);
}
std::int64_t eigh_workspace(const Matrices& p, DeviceType device) {
  return workspace(p, eigh_share(p), device);
}
std::int64_t matrix_exp_workspace(const Matrices& p, DeviceType device) {
  return workspace(p, matrix_exp_share(p), device);
}

KernelSlot<const Matrices&> cholesky_kernel("cholesky", [](const Matrices& p) -> Kernel {
  return [p](void* const* o) {
    const double* a = in(o, 0);
    double* l = out(o, 1);
    for_matrices(p.count, tasks_of(p), [&](std::int64_t i, std::int64_t) {
      double* to = l + i * p.n * p.n;
      copy(p.n * p.n, a + i * p.n * p.n, to);
      if (const std::int64_t bad = cholesky(p.n, to, p.n)) refuse_minor(p, i, bad);
    });
  };
});

KernelSlot<const System&> triangular_solve_kernel("triangular_solve", [](const System& p) -> Kernel {
  return [p](void* const* o) {
    const double *t = in(o, 0), *b = in(o, 1);
    double* x = out(o, 2);
    for_matrices(p.count, tasks_of(p.count, double(p.n) * double(p.n) * double(p.k) + 100), [&](std::int64_t i, std::int64_t) {
      const double* from = t + (p.matrices == 1 ? 0 : i * p.n * p.n);
      double largest = 0;
      for (std::int64_t j = 0; j < p.n && p.tolerance > 0; ++j) largest = std::max(largest, std::abs(from[j * (p.n + 1)]));
      for (std::int64_t j = 0; j < p.n && !p.unit; ++j)
        if (const double d = from[j * (p.n + 1)]; std::abs(d) <= p.tolerance * largest) refuse_diagonal(p, i, j + 1, d == 0);
      double* to = x + i * p.n * p.k;
      copy(p.n * p.k, b + i * p.n * p.k, to);
      solve_triangle(p.upper != p.transposed, p.unit, p.n, p.k, from, p.transposed ? 1 : p.n, p.transposed ? p.n : 1, to, p.k);
    });
  };
});

KernelSlot<const Matrices&> lu_kernel("lu", [](const Matrices& p) -> Kernel {
  return [p](void* const* o) {
    const double* a = in(o, 0);
    double* to = out(o, 1);
    auto* pivots = static_cast<std::int32_t*>(o[2]);
    for_matrices(p.count, tasks_of(p), [&](std::int64_t i, std::int64_t) {
      copy(p.n * p.n, a + i * p.n * p.n, to + i * p.n * p.n);
      const std::int64_t zero = lu(p.n, to + i * p.n * p.n, p.n, pivots + i * p.n);
      if (zero && p.flag) refuse_pivot(p, i, zero);
    });
  };
});

KernelSlot<const System&> lu_solve_kernel("lu_solve", [](const System& p) -> Kernel {
  return [p](void* const* o) {
    const double *lu = in(o, 0), *b = in(o, 2);
    const auto* pivots = static_cast<const std::int32_t*>(o[1]);
    double* x = out(o, 3);
    for_matrices(p.count, tasks_of(p.count, 2 * double(p.n) * double(p.n) * double(p.k) + 100), [&](std::int64_t i, std::int64_t) {
      const std::int64_t matrix = p.matrices == 1 ? 0 : i;
      double* to = x + i * p.n * p.k;
      copy(p.n * p.k, b + i * p.n * p.k, to);
      lu_solve(p.transposed, p.n, p.k, lu + matrix * p.n * p.n, pivots + matrix * p.n, to);
    });
  };
});

KernelSlot<const Matrices&> lu_det_kernel("lu_det", [](const Matrices& p) -> Kernel {
  return [p](void* const* o) {
    const double* lu = in(o, 0);
    const auto* pivots = static_cast<const std::int32_t*>(o[1]);
    parallel_blocks(p.count, std::max<std::int64_t>(1, 4096 / p.n), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        double sign = 1, log_abs = 0, det = 1, sizes = 1;  // the logarithm of a product while it is far from the ends of its range
        for (std::int64_t j = 0; j < p.n; ++j) {
          const double d = lu[i * p.n * p.n + j * (p.n + 1)], size = std::abs(d);
          const double factor = pivots[i * p.n + j] != j ? -d : d;
          sign = factor == 0 ? 0 : factor < 0 ? -sign : factor != factor ? factor : sign;
          if (size > 1e-100 && size < 1e100 && sizes > 1e-150 && sizes < 1e150)
            sizes *= size;
          else
            log_abs += std::log(size);
          det *= factor;
        }
        out(o, 2)[i] = sign;
        out(o, 3)[i] = log_abs + std::log(sizes);
        out(o, 4)[i] = det;
      }
    });
  };
});

KernelSlot<const Matrices&> qr_kernel("qr", [](const Matrices& p) -> Kernel {
  return [p](void* const* o) {
    const std::int64_t share = qr_share(p), k = std::min(p.m, p.n), columns = p.flag ? p.m : k;
    for_matrices(p.count, tasks_of(p), [&](std::int64_t i, std::int64_t task) {
      double *q = out(o, 1) + i * p.m * columns, *r = out(o, 2) + i * columns * p.n;
      const double* from = in(o, 0) + i * p.m * p.n;
      const double scale = magnitude(p.m * p.n, from);
      orthogonalise(p.m, p.n, columns, from, scale, q, r, out(o, 3) + task * share);
      for (std::int64_t row = 0; row < k; ++row)
        for (std::int64_t j = row; j < p.n; ++j) r[row * p.n + j] *= scale;
    });
  };
});

KernelSlot<const Matrices&> svd_kernel("svd", [](const Matrices& p) -> Kernel {
  return [p](void* const* o) {
    const std::int64_t share = svd_size(p.m, p.n), k = std::min(p.m, p.n);
    for_matrices(p.count, tasks_of(p), [&](std::int64_t i, std::int64_t task) {
      double *u = p.flag ? nullptr : out(o, 1) + i * p.m * k, *vh = p.flag ? nullptr : out(o, 3) + i * k * p.n;  // the flag: values alone
      if (!svd(p.m, p.n, in(o, 0) + i * p.m * p.n, u, out(o, 2) + i * k, vh, out(o, 4) + task * share)) refuse_iteration(p, i);
    });
  };
});

KernelSlot<const Matrices&> eigh_kernel("eigh", [](const Matrices& p) -> Kernel {
  return [p](void* const* o) {
    const std::int64_t share = eigh_share(p), size = p.n * p.n;
    for_matrices(p.count, tasks_of(p), [&](std::int64_t i, std::int64_t task) {
      double *memory = out(o, 3) + task * share, *a = take(memory, size);
      copy(size, in(o, 0) + i * size, a);
      if (!eigh(p.n, a, out(o, 1) + i * p.n, p.flag ? out(o, 2) + i * size : nullptr, memory)) refuse_iteration(p, i);
    });
  };
});

KernelSlot<const Matrices&> matrix_exp_kernel("matrix_exp", [](const Matrices& p) -> Kernel {
  return [p](void* const* o) {
    const std::int64_t share = matrix_exp_share(p), size = p.n * p.n;
    for_matrices(p.count, tasks_of(p), [&](std::int64_t i, std::int64_t task) {
      matrix_exp(p.n, in(o, 0) + i * size, out(o, 1) + i * size, out(o, 2) + task * share);
    });
  };
});

KernelSlot<const TriangleWeights&> triangle_weights_kernel("weigh_triangles", [](const TriangleWeights& p) -> Kernel {
  return [p](void* const* o) {
    const double* x = in(o, 0);
    double* y = out(o, 1);
    parallel_blocks(p.count * p.m, std::max<std::int64_t>(1, 16384 / p.n), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t i = row % p.m;
        for (std::int64_t j = 0; j < p.n; ++j) {
          const double w = j < i ? p.lower : j > i ? p.upper : p.diagonal;
          y[row * p.n + j] = w == 0 ? 0 : w * x[row * p.n + j];  // 0 also where x is not finite
        }
      }
    });
  };
});

}  // namespace tenon::linalg

/// Powers and exponentials of matrices.
#include "ops/linalg_kernels.hpp"
#include "ops/linalg_shared.hpp"
#include "tenon/autograd.hpp"

namespace tenon::linalg {
namespace {

Tensor matrix_exp_f64(const Tensor& a) {
  const Matrices p{"matrix_exp", leading(a).numel(), a.size(-2), a.size(-1)};
  Tensor e = Tensor::empty(a.shape(), DType::f64, a.device());
  if (a.numel() > 0)
    launch("matrix_exp", {a.detach().contiguous()}, {e, Tensor::empty({matrix_exp_workspace(p, a.device().type)}, DType::f64, a.device())},
           matrix_exp_kernel(a.device(), p));
  return differentiable("matrix_exp", e, {a}, [a](const std::vector<Tensor>& d) {
    const std::int64_t n = a.size(-1);
    const Tensor at = turned(a);
    const Tensor above = concat({at, d[0]}, -1), below = concat({Tensor::zeros(a.shape(), DType::f64, a.device()), at}, -1);
    return std::vector<Tensor>{matrix_exp_f64(concat({above, below}, -2)).narrow(-2, 0, n).narrow(-1, n, n)};
  });
}

}  // namespace

Tensor matrix_exp(const Tensor& a) {
  check_matrix("matrix_exp", a, true);
  return through_f64(a, matrix_exp_f64);
}

Tensor matrix_power(const Tensor& a, std::int64_t n) {
  check_matrix("matrix_power", a, true);
  return through_f64(a, [&](const Tensor& wide) {
    if (n == 0) return identity(a.size(-1), a.device()).expand(a.shape()).contiguous();
    Tensor base = n < 0 ? inverse("matrix_power", wide) : wide, result;
    for (std::uint64_t left = n < 0 ? 0 - std::uint64_t(n) : std::uint64_t(n); left > 0; left >>= 1) {
      if (left & 1) result = result.defined() ? matmul(result, base) : base;
      if (left > 1) base = matmul(base, base);
    }
    return result;
  });
}

}  // namespace tenon::linalg

/// QR, singular values and vectors, symmetric eigenproblems, and what follows from them.
#include <algorithm>
#include <limits>

#include "ops/linalg_kernels.hpp"
#include "ops/linalg_shared.hpp"
#include "tenon/autograd.hpp"
#include "tenon/indexing.hpp"
#include "tenon/ordering.hpp"
#include "tenon/plan.hpp"

namespace tenon::linalg {
namespace {

Matrices matrices(const char* op, const Tensor& a, bool flag = false) {
  return {op, leading(a).numel(), a.size(-2), a.size(-1), flag};
}

Tensor workspace(std::int64_t values, const Tensor& like) {
  return Tensor::empty({values}, DType::f64, like.device());
}

/// 1 / x where x is not 0, 0 elsewhere; so are its derivatives.
Tensor reciprocal_or_zero(const Tensor& x) {
  const Tensor zero = Tensor::zeros({}, DType::f64, x.device()), one = Tensor::full({}, 1, DType::f64, x.device());
  const Tensor regular = not_equal(x, zero);
  return where(regular, one / where(regular, x, one), zero);
}

/// 1 / (x_j - x_i) at [i, j], 0 where they are equal: x [..., n] -> [..., n, n].
Tensor inverse_gaps(const Tensor& x) {
  return reciprocal_or_zero(x.unsqueeze(-2) - x.unsqueeze(-1));
}

/// [..., n] -> the diagonal matrix [..., n, n].
Tensor diagonal_matrix(const Tensor& x) {
  return identity(x.size(-1), x.device()) * x.unsqueeze(-2);
}

// ---- QR ------------------------------------------------------------------------------------------------------------

/// The gradient of a = q r with q [..., m, n], r [..., n, n], m >= n.
Tensor qr_gradient(const Tensor& q, const Tensor& r, const Tensor& d_q, const Tensor& d_r) {
  const Tensor m = matmul(r, turned(d_r)) - matmul(turned(d_q), q);
  const Tensor symmetric = weigh_triangles(m, 1, 1, 0) + turned(weigh_triangles(m, 1, 0, 0));
  return turned(solve_triangle("qr.gradient", r, turned(d_q + matmul(q, symmetric)), {.upper = true}));
}

/// Whether the kernels of a GPU are ours, of which a block takes a matrix; others are cuSOLVER's.
bool by_blocks(const Tensor& a) {
  return a.device().type == DeviceType::cuda && (std::min(a.size(-1), a.size(-2)) <= 64 || is_recording());
}

/// Rows of the leaves in which blocks of a GPU factor a tall matrix side by side; 0: it is not cut. By its sizes alone.
std::int64_t leaf_rows(const Tensor& a, const Matrices& p) {
  constexpr std::int64_t kLeafValues = 12000;  // of a block's shared memory on any device
  constexpr std::int64_t kBlocks = 256;
  if (!by_blocks(a) || p.count >= kBlocks || p.m * p.n <= kLeafValues) return 0;
  if (p.n > 64) return p.m >= 8 * p.n ? 4 * p.n : 0;
  const std::int64_t most = kLeafValues / p.n;
  return std::clamp((p.m * p.count + kBlocks - 1) / kBlocks, std::min(8 * p.n, most), most);
}

/// The factors, without history. Those of a tall matrix on a GPU from the triangles of its leaves, stacked (Demmel, Grigori, Hoemmen & Langou 2012); rows beyond
/// whole leaves are stacked as they are.
QR factors(const Tensor& a, QRMode mode) {
  const NoGrad off;
  const std::int64_t m = a.size(-2), n = a.size(-1), k = mode == QRMode::complete ? m : std::min(m, n);
  const Matrices p = matrices("qr", a, mode == QRMode::complete);
  const Shape lead = leading(a);
  if (const std::int64_t rows = mode == QRMode::complete ? 0 : leaf_rows(a, p); rows > 0) {
    const std::int64_t leaves = m / rows, whole = leaves * rows, left = m - whole;
    const QR first = factors(a.narrow(-2, 0, whole).reshape(with_axes(lead, {leaves, rows, n})), mode);
    const Tensor triangles = first.r.reshape(with_axes(lead, {leaves * n, n}));
    const QR all = factors(left ? concat({triangles, a.narrow(-2, whole, left)}, -2) : triangles, mode);
    const Tensor turns = all.q.narrow(-2, 0, leaves * n).reshape(with_axes(lead, {leaves, n, n}));
    const Tensor q = matmul(first.q, turns).reshape(with_axes(lead, {whole, n}));
    return {left ? concat({q, all.q.narrow(-2, leaves * n, left)}, -2) : q, all.r};
  }
  QR f{empty_f64(lead, {m, k}, a.device()), empty_f64(lead, {k, n}, a.device())};
  if (a.numel() > 0) launch("qr", {a.contiguous()}, {f.q, f.r, workspace(qr_workspace(p, a.device().type), a)}, qr_kernel(a.device(), p));
  return f;
}

QR qr_f64(const Tensor& a, QRMode mode) {
  const std::int64_t m = a.size(-2), n = a.size(-1);
  const QR made = factors(a.detach(), mode);
  std::vector<Tensor> out{made.q, made.r};
  auto backward = [a, m, n, mode, q_only = out[0], r_only = out[1]](const std::vector<Tensor>& d) -> std::vector<Tensor> {
    if (mode == QRMode::complete && m > n)
      throw_usage("qr", "the complete factor of " + a.str() + ", which is taller than wide, has no gradient", "use the reduced mode");
    QR f{q_only, r_only};
    if (wants_grad({d[0], d[1], a})) f = qr_f64(a, mode);
    if (m >= n) return {qr_gradient(f.q, f.r, d[0], d[1])};
    // a = [x y] = q [u v]: v = q^T y
    const Tensor y = a.narrow(-1, m, n - m), d_v = d[1].narrow(-1, m, n - m);
    const Tensor d_x = qr_gradient(f.q, f.r.narrow(-1, 0, m), d[0] + matmul(y, turned(d_v)), d[1].narrow(-1, 0, m));
    return {concat({d_x, matmul(f.q, d_v)}, -1)};
  };
  const Tensor inputs[] = {a};
  differentiable("qr", std::span<Tensor>(out), std::span<const Tensor>(inputs), backward);
  return {out[0], out[1]};
}

// ---- singular values ------------------------------------------------------------------------------------------------

/// u and vh with the signs that make each column's first entry of largest size in u positive.
void set_signs(Tensor& u, Tensor& vh) {
  const Tensor largest = gather(u, -2, argmax(abs(u), -2).unsqueeze(-2)), zero = Tensor::zeros({}, DType::f64, u.device()), one = Tensor::full({}, 1, DType::f64, u.device());
  const Tensor signs = where(less(largest, zero), neg(one), one);
  u = u * signs, vh = turned(signs) * vh;
}

/// u, s, vh; without `vectors` u and vh are empty where the device's kernel can leave them out, else of any signs.
std::vector<Tensor> run_svd(const char* op, const Tensor& given, bool vectors = true) {
  const NoGrad off;
  const Tensor a = given.detach();
  const std::int64_t m = a.size(-2), n = a.size(-1), k = std::min(m, n);
  // a GPU's rotations go over a long matrix again and again: its triangle is rotated in its place
  if (by_blocks(a) && a.numel() > 0 && std::max(m, n) >= std::max<std::int64_t>(4 * k, 256)) {
    const QR f = factors(m > n ? a : turned(a).contiguous(), QRMode::reduced);
    std::vector<Tensor> of = run_svd(op, m > n ? f.r : turned(f.r), vectors);
    if (m > n) of[0] = matmul(f.q, of[0]);
    else of[2] = matmul(of[2], turned(f.q));
    if (vectors && m > n) set_signs(of[0], of[2]);
    return of;
  }
  const bool values_alone = !vectors && a.device().type == DeviceType::cpu;
  const Matrices p = matrices(op, a, values_alone);
  const Shape lead = leading(a);
  std::vector<Tensor> out{empty_f64(lead, {m, values_alone ? 0 : k}, a.device()), empty_f64(lead, {k}, a.device()),
                          empty_f64(lead, {values_alone ? 0 : k, n}, a.device())};
  if (a.numel() > 0)
    launch(op, {a.contiguous()}, {out[0], out[1], out[2], workspace(svd_workspace(p, a.device().type), a)}, svd_kernel(a.device(), p));
  return out;
}

SVD svd_f64(const Tensor& a) {
  std::vector<Tensor> out = run_svd("svd", a);
  auto backward = [a, saved = SVD{out[0], out[1], out[2]}](const std::vector<Tensor>& d) -> std::vector<Tensor> {
    const auto& [u, s, vh] = wants_grad({d[0], d[1], d[2], a}) ? svd_f64(a) : saved;
    const Tensor gaps = inverse_gaps(square(s)), v = turned(vh), d_v = turned(d[2]), inverse_s = reciprocal_or_zero(s);
    const Tensor of_u = matmul(turned(u), d[0]), of_v = matmul(vh, d_v), j = gaps * of_u, l = gaps * of_v;
    const Tensor middle = scale_columns(j + turned(j), s) + turned(scale_columns(l + turned(l), s)) + diagonal_matrix(d[1]);
    Tensor left = matmul(u, middle);
    if (u.size(-2) > s.size(-1)) left = left + scale_columns(d[0] - matmul(u, of_u), inverse_s);
    Tensor d_a = matmul(left, vh);
    if (vh.size(-1) > s.size(-1)) d_a = d_a + matmul(scale_columns(u, inverse_s), turned(d_v - matmul(v, of_v)));
    return {d_a};
  };
  const Tensor inputs[] = {a};
  differentiable("svd", std::span<Tensor>(out), std::span<const Tensor>(inputs), backward);
  return {out[0], out[1], out[2]};
}

Tensor singular_values_f64(const Tensor& a) {
  const std::vector<Tensor> f = run_svd("singular_values", a, wants_grad({a}));
  return differentiable("singular_values", f[1], {a}, [a, saved = SVD{f[0], f[1], f[2]}](const std::vector<Tensor>& d) {
    const auto& [u, s, vh] = wants_grad({d[0], a}) ? svd_f64(a) : saved;
    return std::vector<Tensor>{matmul(scale_columns(u, d[0]), vh)};
  });
}

// ---- symmetric eigenproblems --------------------------------------------------------------------------------------------

std::vector<Tensor> run_eigh(const char* op, const Tensor& a, bool vectors) {
  const std::int64_t n = a.size(-1);
  const Matrices p = matrices(op, a, vectors);
  std::vector<Tensor> out{empty_f64(leading(a), {n}, a.device()), empty_f64(leading(a), {n, vectors ? n : 0}, a.device())};
  if (a.numel() > 0) launch(op, {a.detach().contiguous()}, {out[0], out[1], workspace(eigh_workspace(p, a.device().type), a)}, eigh_kernel(a.device(), p));
  return out;
}

/// Of a that is symmetric.
Eigh eigh_f64(const Tensor& a) {
  std::vector<Tensor> out = run_eigh("eigh", a, true);
  auto backward = [a, saved = Eigh{out[0], out[1]}](const std::vector<Tensor>& d) -> std::vector<Tensor> {
    const auto& [w, v] = wants_grad({d[0], d[1], a}) ? eigh_f64(a) : saved;
    return {matmul(matmul(v, diagonal_matrix(d[0]) + inverse_gaps(w) * matmul(turned(v), d[1])), turned(v))};
  };
  const Tensor inputs[] = {a};
  differentiable("eigh", std::span<Tensor>(out), std::span<const Tensor>(inputs), backward);
  return {out[0], out[1]};
}

Tensor eigvalsh_f64(const Tensor& a) {
  const bool vectors = wants_grad({a});
  const std::vector<Tensor> f = run_eigh("eigvalsh", a, vectors);
  return differentiable("eigvalsh", f[0], {a}, [a, kept = f[1]](const std::vector<Tensor>& d) {
    const Tensor v = wants_grad({d[0], a}) ? eigh_f64(a).v : kept;
    return std::vector<Tensor>{matmul(scale_columns(v, d[0]), turned(v))};
  });
}

/// In f64, both triangles averaged, so that a gradient comes out symmetric.
Tensor symmetric_f64(const Tensor& a) {
  const Tensor wide = a.to(DType::f64);
  return (wide + turned(wide)) * 0.5;
}

Tensor pinv_f64(const Tensor& a, double rcond) {
  Tensor p;
  {
    NoGrad off;
    const std::vector<Tensor> f = run_svd("pinv", a);
    const Tensor kept = where(greater(f[1], max(f[1], -1, true) * rcond), f[1], Tensor::zeros({}, DType::f64, a.device()));
    p = matmul(scale_columns(turned(f[2]), reciprocal_or_zero(kept)), turned(f[0]));
  }
  return differentiable("pinv", p, {a}, [=](const std::vector<Tensor>& d) {
    const Tensor q = wants_grad({d[0], a}) ? pinv_f64(a, rcond) : p, qt = turned(q), dt = turned(d[0]);
    const Tensor right = matmul(dt, matmul(q, qt)), left = matmul(matmul(qt, q), dt);  // d^T P P^T and P^T P d^T
    return std::vector<Tensor>{neg(matmul(matmul(qt, d[0]), qt)) + (right - matmul(a, matmul(q, right))) +
                               (left - matmul(matmul(left, q), a))};
  });
}

double default_rcond(const Tensor& a) {
  const double epsilon = a.dtype() == DType::f64 ? std::numeric_limits<double>::epsilon() : double(std::numeric_limits<float>::epsilon());
  return double(std::max(a.size(-1), a.size(-2))) * epsilon;
}

void check_rcond(const char* op, std::optional<double> rcond) {
  if (rcond && !(*rcond >= 0 && *rcond < 1))
    throw_usage(op, "rcond is " + std::to_string(*rcond), "give a share of the largest singular value, in [0, 1)");
}

}  // namespace

QR qr(const Tensor& a, QRMode mode) {
  check_matrix("qr", a, false);
  const QR f = qr_f64(a.to(DType::f64), mode);
  return {f.q.to(a.dtype()), f.r.to(a.dtype())};
}

SVD svd(const Tensor& a) {
  check_matrix("svd", a, false);
  const SVD f = svd_f64(a.to(DType::f64));
  return {f.u.to(a.dtype()), f.s.to(a.dtype()), f.vh.to(a.dtype())};
}

Tensor singular_values(const Tensor& a) {
  check_matrix("singular_values", a, false);
  return through_f64(a, singular_values_f64);
}

Eigh eigh(const Tensor& a) {
  check_matrix("eigh", a, true);
  const Eigh f = eigh_f64(symmetric_f64(a));
  return {f.w.to(a.dtype()), f.v.to(a.dtype())};
}

Tensor eigvalsh(const Tensor& a) {
  check_matrix("eigvalsh", a, true);
  return eigvalsh_f64(symmetric_f64(a)).to(a.dtype());
}

Tensor pinv(const Tensor& a, std::optional<double> rcond) {
  check_matrix("pinv", a, false);
  check_rcond("pinv", rcond);
  return through_f64(a, [&](const Tensor& wide) { return pinv_f64(wide, rcond.value_or(default_rcond(a))); });
}

Tensor lstsq(const Tensor& a, const Tensor& b, std::optional<double> rcond) {
  const char* op = "lstsq";
  check_matrix(op, a, false);
  check_matrix(op, b, false, "b");
  check_rcond(op, rcond);
  if (a.dtype() != b.dtype()) throw_usage(op, "a is " + a.str() + ", b is " + b.str() + ": the types differ", "cast one with to()");
  check_same_device(op, a, b);
  if (a.size(-2) != b.size(-2)) throw_usage(op, "a is " + a.str() + ", b is " + b.str() + ": the rows of b differ from those of a");
  return through_f64(b, [&](const Tensor& right) {
    const Tensor wide = a.to(DType::f64);
    if (rcond) return matmul(pinv_f64(wide, *rcond), right);
    const double tolerance = default_rcond(a);
    if (a.size(-2) >= a.size(-1)) {
      const QR f = qr_f64(wide, QRMode::reduced);
      return solve_triangle(op, f.r, matmul(turned(f.q), right), {.upper = true}, tolerance);
    }
    const QR f = qr_f64(turned(wide), QRMode::reduced);
    return matmul(f.q, solve_triangle(op, f.r, right, {.upper = true, .transposed = true}, tolerance));
  });
}

Tensor matrix_norm(const Tensor& a, MatrixNorm kind) {
  check_matrix("matrix_norm", a, false);
  return through_f64(a, [&](const Tensor& wide) {
    if (kind == MatrixNorm::nuclear) return sum(singular_values_f64(wide), {-1});
    if (kind == MatrixNorm::spectral) return singular_values_f64(wide).select(-1, 0);
    const Tensor squares = sum(square(wide), {-2, -1}), zero = Tensor::zeros({}, DType::f64, a.device());
    const Tensor positive = not_equal(squares, zero);
    return where(positive, sqrt(where(positive, squares, Tensor::full({}, 1, DType::f64, a.device()))), zero);
  });
}

}  // namespace tenon::linalg

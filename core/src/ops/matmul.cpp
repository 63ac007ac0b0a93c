#include <algorithm>
#include <array>

#include "backend/cpu/matmul_engine.hpp"
#include "ops/matmul_kernels.hpp"
#include "ops/products.hpp"
#include "tenon/autograd.hpp"
#include "tenon/complex.hpp"
#include "tenon/memory.hpp"
#include "tenon/ops.hpp"

namespace tenon {

KernelSlot<const MatmulGeometry&> matmul_slot("matmul", [](const MatmulGeometry& g) -> Kernel {
  cpu::MatmulProgram program(g);
  bool bias = g.bias, workspace = program.workspace_bytes() > 0;
  return [program = std::move(program), bias, workspace](void* const* p) {
    program.run(p[0], p[1], bias ? p[2] : nullptr, p[bias ? 3 : 2], workspace ? p[bias ? 4 : 3] : nullptr);
  };
});

namespace {

std::array<MatmulWorkspaceFn, kDeviceTypes>& workspace_sizes() {
  static std::array<MatmulWorkspaceFn, kDeviceTypes> table{[](const MatmulGeometry& g) { return cpu::MatmulProgram(g).workspace_bytes(); }};
  return table;
}

struct FusedProducts {
  FusedMatmulMake make;
  MatmulWorkspaceFn workspace;
};
std::array<FusedProducts, kDeviceTypes>& fused_products() {
  static std::array<FusedProducts, kDeviceTypes> table{};
  return table;
}

std::array<bool, kDeviceTypes>& sums_given() {
  static std::array<bool, kDeviceTypes> table{};
  return table;
}

std::string shapes(const Tensor& a, const Tensor& b) {
  return a.shape().str() + " x " + b.shape().str();
}

/// Offsets of the matrices of `t` for each position of the broadcast leading axes `lead`, row major.
std::vector<std::int64_t> matrix_offsets(const Tensor& t, const Shape& lead) {
  std::vector<std::int64_t> offsets{0};
  offsets.reserve(std::size_t(lead.numel()));
  int missing = lead.rank() - (t.rank() - 2);
  for (int axis = 0; axis < lead.rank(); ++axis) {  // each position so far becomes a run along the axis: from the back, in place
    std::int64_t stride = axis < missing || t.size(axis - missing) == 1 ? 0 : t.strides()[axis - missing];
    std::size_t before = offsets.size(), length = std::size_t(lead[axis]);
    offsets.resize(before * length);
    for (std::size_t i = length ? before : 0; i-- > 0;) {
      const std::int64_t start = offsets[i];
      for (std::size_t j = length; j-- > 0;) offsets[i * length + j] = start + std::int64_t(j) * stride;
    }
  }
  return offsets;
}

Shape leading(const Tensor& t) {
  return Shape(std::span<const std::int64_t>(t.shape().begin(), std::size_t(t.rank() - 2)));
}

}  // namespace

DType bias_type(DType t) {
  return t == DType::f64 ? DType::f64 : DType::f32;
}

Tensor swap_last(const Tensor& t) {
  return t.transpose(-2, -1);
}

std::optional<MatrixStrides> matrix_strides(std::int64_t rows, std::int64_t columns, std::int64_t row, std::int64_t column) {
  if ((columns == 1 || column == 1) && (rows == 1 || row >= columns)) return MatrixStrides{rows == 1 ? std::max<std::int64_t>(columns, 1) : row, 1};
  if ((rows == 1 || row == 1) && (columns == 1 || column >= rows)) return MatrixStrides{1, columns == 1 ? std::max<std::int64_t>(rows, 1) : column};
  return {};
}

MatrixOperand::MatrixOperand(const Tensor& t) : tensor(t) {
  auto describe = [&] { return matrix_strides(tensor.size(-2), tensor.size(-1), tensor.strides()[-2], tensor.strides()[-1]); };
  std::optional<MatrixStrides> found = describe();
  if (!found) {
    tensor = t.contiguous();
    found = describe();
  }
  strides = *found;
}

Tensor run_product(const char* op, const Tensor& a, const Tensor& b, const Tensor& bias, DType out) {
  Shape lead = Shape::broadcast(leading(a), leading(b), op), shape = lead;
  MatmulGeometry g;
  g.in = a.dtype();
  g.out = out;
  g.m = a.size(-2);
  g.k = a.size(-1);
  g.n = b.size(-1);
  g.bias = bias.defined();
  shape.push_back(g.m);
  shape.push_back(g.n);
  if (g.k == 0) {
    Tensor zero = Tensor::zeros(shape, out, a.device());
    return bias.defined() ? zero + bias.to(out) : zero;
  }
  Tensor c = Tensor::empty(shape, out, a.device());
  if (c.numel() == 0) return c;
  MatrixOperand left(a), right(b);
  g.a_row = left.strides.row;
  g.a_col = left.strides.col;
  g.b_row = right.strides.row;
  g.b_col = right.strides.col;
  g.a_offset = matrix_offsets(left.tensor, lead);
  g.b_offset = matrix_offsets(right.tensor, lead);
  std::vector<Tensor> reads{left.tensor, right.tensor}, writes{c};
  if (bias.defined()) reads.push_back(bias.contiguous());
  const MatmulWorkspaceFn& workspace = matmul_workspace(a.device().type);
  MemoryScope tag(MemoryTag::workspace);
  if (std::size_t bytes = workspace ? workspace(g) : 0) writes.push_back(Tensor::empty({std::int64_t(bytes)}, DType::u8, a.device()));
  launch(op, reads, writes, matmul_slot(a.device(), g));
  return c;
}

SummedProduct run_summed_product(const char* op, const Tensor& y, const Tensor& x, DType out) {
  const MatrixOperand right(x);
  MatmulGeometry g;
  g.in = y.dtype(), g.out = out;
  g.m = y.size(1), g.k = y.size(0), g.n = x.size(1);
  g.a_row = g.m > 1 ? 1 : g.k, g.a_col = g.m;  // one row lies as a row: its stride spans it
  g.b_row = right.strides.row, g.b_col = right.strides.col;
  g.sums = true;
  SummedProduct r{Tensor::empty({g.m, g.n}, out, y.device()), Tensor::empty({g.m}, bias_type(g.in), y.device())};
  std::vector<Tensor> writes{r.product, r.sums};
  const MatmulWorkspaceFn& workspace = matmul_workspace(y.device().type);
  MemoryScope tag(MemoryTag::workspace);
  if (std::size_t bytes = workspace ? workspace(g) : 0) writes.push_back(Tensor::empty({std::int64_t(bytes)}, DType::u8, y.device()));
  launch(op, std::vector<Tensor>{y, right.tensor}, writes, matmul_slot(y.device(), g));
  return r;
}

namespace {

/// a x b (+ bias) in type `out`, which is a's or f32. Bilinear: its gradients are products again.
Tensor product(const char* op, const Tensor& a, const Tensor& b, const Tensor& bias, DType out, DType d_a_type, DType d_b_type);

Tensor product(const char* op, const Tensor& a, const Tensor& b, const Tensor& bias, DType out) {
  return product(op, a, b, bias, out, a.dtype(), b.dtype());
}

/// `d_a_type`, `d_b_type`: what the gradients are delivered in (f32 for bf16 operands that are rounded f32 parameters).
Tensor product(const char* op, const Tensor& a, const Tensor& b, const Tensor& bias, DType out, DType d_a_type, DType d_b_type) {
  Tensor c = run_product(op, a, b, bias, out);
  bool a_needed = wants_grad({a}), b_needed = wants_grad({b}), bias_needed = wants_grad({bias});
  return differentiable(op, c, {a, b, bias}, [=](const std::vector<Tensor>& d) -> std::vector<Tensor> {
    Tensor d_c = d[0].to(a.dtype()), d_a, d_b, d_bias;
    if (a_needed) d_a = sum_to(product(op, d_c, swap_last(b), {}, d_a_type, a.dtype(), d_b_type), a.shape());
    if (b_needed) {
      // the gradient of a transposed b is made transposed too: what b is a view of, a layer's weight, then has a dense one, and no copy is made
      const bool turned = b.strides()[-2] == 1 && b.strides()[-1] >= b.size(-2) && b.size(-1) > 1;
      if (turned && bias_needed && a.rank() == 2 && b.rank() == 2 && d[0].dtype() == a.dtype() && d_c.is_contiguous() && a.numel() > 0 && d_c.numel() > 0 &&
          matmul_gives_sums(a.device().type) && !wants_grad({a, d_c})) {
        const SummedProduct both = run_summed_product(op, d_c, a, d_b_type);
        return {d_a, swap_last(both.product), both.sums.to(bias.dtype())};
      }
      d_b = turned ? swap_last(product(op, swap_last(d_c), a, {}, d_b_type, a.dtype(), d_a_type)) : product(op, swap_last(a), d_c, {}, d_b_type, d_a_type, a.dtype());
      d_b = sum_to(d_b, b.shape());
    }
    if (bias_needed) d_bias = sum_to(d[0].to(bias.dtype()), bias.shape());
    return {d_a, d_b, d_bias};
  });
}

void check_operands(const char* op, const Tensor& a, const Tensor& b, const char* b_name, bool complex_too = false) {
  if (!a.defined() || !b.defined()) throw_usage(op, "an operand is undefined");
  if (!is_floating(a.dtype()) && !(complex_too && is_complex(a.dtype())))
    throw_usage(op, a.str() + " is not f32, f64, bf16" + (complex_too ? ", f16 or complex" : " or f16"), "cast it with to()");
  if (a.device() != b.device()) throw_usage(op, a.str() + " and " + b_name + " " + b.str() + " are on different devices");
}

/// One real product does a complex one: the rows of b, and those of i b, beside the parts of a. Its gradients are products of the same
/// kind, with conjugates.
Tensor complex_product(const Tensor& a, const Tensor& b) {
  const Tensor dense = b.detach(),
               turned = view_as_complex(concat({imag(dense).unsqueeze(-1) * -1.0, real(dense).unsqueeze(-1)}, -1));  // i b
  Tensor rows = view_as_real(concat({dense.unsqueeze(-2), turned.unsqueeze(-2)}, -2));                               // [..., k, 2, n, 2]
  Shape right = b.shape(), left = a.shape();
  right[-2] *= 2;
  right[-1] *= 2;
  left[-1] *= 2;
  Tensor c = matmul(view_as_real(a.detach()).reshape(left), rows.reshape(right));
  Shape pairs = c.shape();
  pairs[-1] /= 2;
  pairs.push_back(2);
  return differentiable("matmul", view_as_complex(c.reshape(pairs)), {a, b},
                        [a, b, need_a = wants_grad({a}), need_b = wants_grad({b})](const std::vector<Tensor>& d) {
                          return std::vector<Tensor>{need_a ? sum_to(complex_product(d[0], conj(swap_last(b))), a.shape()) : Tensor(),
                                                     need_b ? sum_to(complex_product(conj(swap_last(a)), d[0]), b.shape()) : Tensor()};
                        });
}

}  // namespace

/// f16 on a CPU, and bf16 where its library has no bf16 products.
bool through_f32(const Tensor& a) {
  if (a.dtype() == DType::f16 && a.device().type == DeviceType::cpu) return true;
  return a.dtype() == DType::bf16 && a.device().type == DeviceType::cpu && !cpu::matmul_has_bf16();
}

void set_matmul_workspace(DeviceType type, MatmulWorkspaceFn bytes) {
  workspace_sizes()[std::size_t(type)] = std::move(bytes);
}
const MatmulWorkspaceFn& matmul_workspace(DeviceType type) {
  return workspace_sizes()[std::size_t(type)];
}

void set_matmul_sums(DeviceType type, bool gives) {
  sums_given()[std::size_t(type)] = gives;
}
bool matmul_gives_sums(DeviceType type) {
  return sums_given()[std::size_t(type)];
}

void set_fused_matmul(DeviceType type, FusedMatmulMake make, MatmulWorkspaceFn workspace) {
  fused_products()[std::size_t(type)] = {std::move(make), std::move(workspace)};
}
Kernel fused_matmul(Device device, const MatmulGeometry& geometry) {
  const FusedProducts& of = fused_products()[std::size_t(device.type)];
  return of.make ? of.make(geometry) : Kernel();
}
std::size_t fused_matmul_workspace(Device device, const MatmulGeometry& geometry) {
  const FusedProducts& of = fused_products()[std::size_t(device.type)];
  return of.workspace ? of.workspace(geometry) : 0;
}

Tensor matmul(const Tensor& a, const Tensor& b) {
  check_operands("matmul", a, b, "second operand", true);
  if (a.rank() < 1 || b.rank() < 1) throw_usage("matmul", shapes(a, b) + ": a scalar is no matrix", "multiply with mul");
  if (a.dtype() != b.dtype()) throw_usage("matmul", a.str() + " x " + b.str() + ": the types differ", "cast one with to()");
  const std::int64_t b_rows = b.size(b.rank() == 1 ? -1 : -2);
  if (a.size(-1) != b_rows)
    throw_usage("matmul", shapes(a, b) + ": " + std::to_string(a.size(-1)) + " columns against " + std::to_string(b_rows) + " rows",
                "the operands are [..., m, k] and [..., k, n]");
  if (a.rank() == 1) return matmul(a.unsqueeze(0), b).squeeze(b.rank() == 1 ? 0 : -2);
  if (b.rank() == 1) return matmul(a, b.unsqueeze(1)).squeeze(-1);
  if (through_f32(a)) return matmul(a.to(DType::f32), b.to(DType::f32)).to(a.dtype());
  const auto multiplied = [&](const Tensor& left) {
    return is_complex(a.dtype()) ? complex_product(left, b) : product("matmul", left, b, {}, a.dtype());
  };
  if (a.rank() > 2 && b.rank() == 2 && a.is_contiguous() && a.numel() > 0) {  // one tall product, and no sum over copies of b's gradient
    Shape shape = a.shape();
    shape[-1] = b.size(-1);
    return multiplied(a.reshape({a.numel() / a.size(-1), a.size(-1)})).reshape(shape);
  }
  return multiplied(a);
}

void check_linear(const char* op, const Tensor& x, const Shape& input, const Tensor& weight, const Tensor& bias) {
  check_operands(op, x, weight, "weight");
  std::string given = "input " + input.str() + ", weight " + weight.shape().str();
  if (input.rank() < 1 || weight.rank() != 2) throw_usage(op, given + ": the input is [..., in], the weight [out, in]");
  if (input[-1] != weight.size(1))
    throw_usage(op, given + ": the weight reads " + std::to_string(weight.size(1)) + " features, the input has " + std::to_string(input[-1]));
  const DType wide = bias_type(x.dtype());
  if (weight.dtype() != wide && weight.dtype() != x.dtype())
    throw_usage(op, "weight " + weight.str() + " does not go with input " + x.str(), "weights are f32, or of the input's type");
  if (bias.defined()) {
    if (bias.device() != x.device()) throw_usage(op, "input " + x.str() + " and bias " + bias.str() + " are on different devices");
    if (bias.rank() != 1 || bias.size(0) != weight.size(0)) throw_usage(op, given + ", bias " + bias.shape().str() + ": the bias is [out]");
    if (bias.dtype() != wide && bias.dtype() != x.dtype())
      throw_usage(op, "bias " + bias.str() + " does not go with input " + x.str(), "biases are f32, or of the input's type");
  }
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const char* op = "linear";
  if (!x.defined()) throw_usage(op, "an operand is undefined");
  check_linear(op, x, x.shape(), weight, bias);
  const DType wide = bias_type(x.dtype());
  if (through_f32(x)) {  // an f16 weight is rounded first, and so is its gradient, as hardware that multiplies f16 would have it
    const Tensor rounded = x.dtype() == DType::f16 ? weight.to(DType::f16) : weight;
    return linear(x.to(DType::f32), rounded.to(DType::f32), bias.defined() ? bias.to(DType::f32) : bias).to(x.dtype());
  }
  Shape shape = x.shape();
  shape[-1] = weight.size(0);
  std::int64_t features = x.size(-1), rows = features ? x.numel() / features : 1;
  if (features == 0)
    for (int a = 0; a + 1 < x.rank(); ++a) rows *= x.size(a);
  Tensor rounded = weight.to(x.dtype());
  Tensor y = product(op, x.reshape({rows, features}), swap_last(rounded), bias.defined() ? bias.to(wide) : bias, x.dtype(), x.dtype(),
                     weight.dtype());
  return y.reshape(shape);
}

}  // namespace tenon

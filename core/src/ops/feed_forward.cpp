#include "tenon/feed_forward.hpp"

#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "autograd/backward_scope.hpp"
#include "ops/elementwise.hpp"
#include "ops/matmul_kernels.hpp"
#include "ops/products.hpp"
#include "tenon/autograd.hpp"
#include "tenon/memory.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

using kernels::Binary;
using List = std::vector<Tensor>;

constexpr const char* kOp = "feed_forward";
constexpr std::int64_t kAlignment = 16;  // bytes: what fused products want of their operands

/// x, weight1, bias1, weight2, bias2.
struct Block {
  Tensor x, weight1, bias1, weight2, bias2;
  FeedForwardActivation activation;

  List inputs() const { return {x, weight1, bias1, weight2, bias2}; }
};

/// The block as its three ops.
Tensor of_ops(const Block& b) {
  const Tensor h = linear(b.x, b.weight1, b.bias1);
  const Tensor y = b.activation == FeedForwardActivation::relu ? relu(h) : b.activation == FeedForwardActivation::gelu ? gelu(h) : gelu_tanh(h);
  return linear(y, b.weight2, b.bias2);
}

void check(const Block& b) {
  if (!b.x.defined()) throw_usage(kOp, "an operand is undefined");
  if (int(b.activation) < 0 || int(b.activation) > int(FeedForwardActivation::gelu_tanh))
    throw_usage(kOp, "activation " + std::to_string(int(b.activation)) + " is none", "relu, gelu or gelu_tanh");
  check_linear(kOp, b.x, b.x.shape(), b.weight1, b.bias1);
  Shape hidden = b.x.shape();
  hidden[-1] = b.weight1.size(0);
  check_linear(kOp, b.x, hidden, b.weight2, b.bias2);
}

/// What of a block decides how its products lie: all matrices are dense.
struct Sizes {
  std::int64_t rows, in, hidden, out;
  DType type;
  Device device;
};

MatmulGeometry product_of(const Sizes& s, std::int64_t m, std::int64_t k, std::int64_t n, MatrixStrides a, MatrixStrides b, Epilogue epilogue) {
  MatmulGeometry g;
  g.in = g.out = s.type;
  g.m = m, g.k = k, g.n = n;
  g.a_row = a.row, g.a_col = a.col, g.b_row = b.row, g.b_col = b.col;
  g.epilogue = epilogue;
  return g;
}
/// activation(x weight1^T + bias1)
MatmulGeometry activated(const Sizes& s, Epilogue activation, bool bias, bool auxiliary) {
  MatmulGeometry g = product_of(s, s.rows, s.in, s.hidden, *matrix_strides(s.rows, s.in, s.in, 1), *matrix_strides(s.in, s.hidden, 1, s.in), activation);
  g.bias = bias, g.auxiliary = auxiliary;
  return g;
}
/// (d_y weight2) * activation'
MatmulGeometry activation_gradient(const Sizes& s, Epilogue gradient, bool sums) {
  MatmulGeometry g = product_of(s, s.rows, s.out, s.hidden, *matrix_strides(s.rows, s.out, s.out, 1), *matrix_strides(s.out, s.hidden, s.hidden, 1), gradient);
  g.sums = sums;
  return g;
}

struct FusedResult {
  Tensor c, auxiliary, sums;
};
/// `reads`: a, b and what else the product reads.
FusedResult run_fused(const MatmulGeometry& g, const Kernel& kernel, const List& reads) {
  const Device device = reads[0].device();
  FusedResult r{Tensor::empty({g.m, g.n}, g.out, device), {}, {}};
  List writes{r.c};
  if (g.auxiliary) {
    const std::int64_t row = auxiliary_row(g.epilogue, g.n);
    r.auxiliary = g.epilogue == Epilogue::relu ? Tensor::empty({g.m, row / 8}, DType::u8, device) : Tensor::empty({g.m, row}, g.out, device);
    writes.push_back(r.auxiliary);
  }
  if (g.sums) {
    r.sums = Tensor::empty({g.n}, bias_type(g.in), device);
    writes.push_back(r.sums);
  }
  MemoryScope tag(MemoryTag::workspace);
  if (const std::size_t bytes = fused_matmul_workspace(device, g)) writes.push_back(Tensor::empty({std::int64_t(bytes)}, DType::u8, device));
  launch(kOp, reads, writes, kernel);
  return r;
}

/// Dense, and where fused products may take it. A tensor that is converted first is made anew.
bool suits(const Tensor& t, DType type) {
  return !t.defined() || (t.is_contiguous() && (t.dtype() != type || t.offset() * std::int64_t(size_of(type)) % kAlignment == 0));
}

/// Gradients of a linear layer's weight [n, k] and bias from d_y [m, n] and x [m, k].
std::pair<Tensor, Tensor> weight_gradients(const Tensor& d_y, const Tensor& x, const Tensor& weight, const Tensor& bias, bool weight_too, bool bias_too) {
  Tensor d_weight, d_bias;
  if (weight_too && bias_too && matmul_gives_sums(x.device().type)) {
    const SummedProduct both = run_summed_product(kOp, d_y, x, weight.dtype());
    return {both.product, both.sums.to(bias.dtype())};
  }
  if (weight_too) d_weight = run_product(kOp, swap_last(d_y), x, {}, weight.dtype());
  if (bias_too) d_bias = sum_to(d_y.to(bias.dtype()), bias.shape());
  return {d_weight, d_bias};
}

/// The block by products that do the activation on the way.
class Fused {
 public:
  /// Nothing where the device has none for these sizes and types.
  static std::optional<Tensor> run(const Block& b) {
    const DType type = b.x.dtype(), wide = bias_type(type);
    if (b.activation == FeedForwardActivation::gelu || b.x.numel() == 0 || b.weight1.numel() == 0 || b.weight2.numel() == 0) return {};
    if (!suits(b.x, type) || !suits(b.weight1, type) || !suits(b.weight2, type) || !suits(b.bias1, wide)) return {};
    Fused f(b);
    if (!f.choose()) return {};
    Tensor y;
    {
      NoGrad off;
      y = f.compute();
    }
    if (!f.history_) return y;
    return differentiable(kOp, y, b.inputs(), [f = std::move(f)](const List& d) { return f.gradients(d[0]); });
  }

 private:
  explicit Fused(const Block& b)
      : b_(b),
        gelu_(b.activation == FeedForwardActivation::gelu_tanh),
        history_(wants_grad(b.inputs())),
        needs_{needs(b.x), needs(b.weight1), needs(b.bias1), needs(b.weight2), needs(b.bias2)},
        sizes_{b.x.numel() / b.x.size(-1), b.x.size(-1), b.weight1.size(0), b.weight2.size(0), b.x.dtype(), b.x.device()} {}
  static bool needs(const Tensor& t) { return t.defined() && t.requires_grad(); }
  bool before_activation_needed() const { return needs_.x || needs_.weight1 || needs_.bias1; }
  MatmulGeometry gradient_product(bool sums) const {
    return activation_gradient(sizes_, gelu_ ? Epilogue::gelu_tanh_gradient : Epilogue::relu_gradient, sums);
  }

  /// Asks for the first product. GELU's gradient reads what the activation keeps; ReLU's can do with its result, where the device has no product that
  /// reads the bits.
  bool choose() {
    auto ask = [&](bool auxiliary) {
      first_ = activated(sizes_, gelu_ ? Epilogue::gelu_tanh : Epilogue::relu, b_.bias1.defined(), auxiliary);
      kernel_ = fused_matmul(sizes_.device, first_);
      return bool(kernel_);
    };
    const bool keep = (history_ && before_activation_needed()) || will_be_recomputed() || is_recomputing();
    if (!keep || gelu_) return ask(keep);
    const auto bits_are_read = [&] { return (needs_.bias1 && fused_matmul(sizes_.device, gradient_product(true))) || fused_matmul(sizes_.device, gradient_product(false)); };
    return (ask(true) && bits_are_read()) || ask(false);
  }

  Tensor compute() {
    rows_ = b_.x.reshape({sizes_.rows, sizes_.in});
    weight1_ = b_.weight1.to(sizes_.type);
    weight2_ = b_.weight2.to(sizes_.type);
    const DType wide = bias_type(sizes_.type);
    List reads{rows_, weight1_};
    if (first_.bias) reads.push_back(b_.bias1.to(wide));
    FusedResult r = run_fused(first_, kernel_, reads);
    kernel_ = nullptr;
    hidden_ = std::move(r.c), kept_ = std::move(r.auxiliary);
    Shape shape = b_.x.shape();
    shape[-1] = sizes_.out;
    return run_product(kOp, hidden_, swap_last(weight2_), b_.bias2.defined() ? b_.bias2.to(wide) : Tensor(), sizes_.type).reshape(shape);
  }

  /// The gradient before the activation, and with it, where the product gives that, the first bias'.
  std::pair<Tensor, Tensor> before_activation(const Tensor& d_y) const {
    if (kept_.defined())
      for (const bool sums : {true, false}) {
        if (sums && !needs_.bias1) continue;
        const MatmulGeometry g = gradient_product(sums);
        if (const Kernel kernel = fused_matmul(sizes_.device, g)) {
          const FusedResult r = run_fused(g, kernel, {d_y, weight2_, kept_});
          return {r.c, sums ? r.sums.to(b_.bias1.dtype()) : Tensor()};
        }
      }
    const Tensor d_hidden = run_product(kOp, d_y, weight2_, {}, sizes_.type);
    if (!gelu_) return {run_activation_gradient(kOp, Binary::relu_gradient, hidden_, d_hidden), {}};
    return {run_activation_gradient(kOp, Binary::gelu_tanh_gradient, kept_.narrow(1, 0, sizes_.hidden), d_hidden), {}};
  }

  List gradients(const Tensor& d) const {
    List all = b_.inputs();
    all.push_back(d);
    if (wants_grad(all))
      return gradients_of_ops([a = b_.activation](const List& in) { return List{of_ops({in[0], in[1], in[2], in[3], in[4], a})}; }, b_.inputs(), {d});
    Tensor d_y = d.to(sizes_.type).reshape({sizes_.rows, sizes_.out});
    if (!suits(d_y, sizes_.type)) d_y = d_y.clone();
    const auto [d_weight2, d_bias2] = weight_gradients(d_y, hidden_, b_.weight2, b_.bias2, needs_.weight2, needs_.bias2);
    Tensor d_x, d_weight1, d_bias1;
    if (before_activation_needed()) {
      const auto [d_h, sums] = before_activation(d_y);
      std::tie(d_weight1, d_bias1) = weight_gradients(d_h, rows_, b_.weight1, b_.bias1, needs_.weight1, needs_.bias1 && !sums.defined());
      if (sums.defined()) d_bias1 = sums;
      if (needs_.x) d_x = run_product(kOp, d_h, weight1_, {}, sizes_.type).reshape(b_.x.shape());
    }
    return {d_x, d_weight1, d_bias1, d_weight2, d_bias2};
  }

  Block b_;
  bool gelu_, history_;
  struct {
    bool x, weight1, bias1, weight2, bias2;
  } needs_;
  Sizes sizes_;
  MatmulGeometry first_;
  Kernel kernel_;                    ///< of the first product
  Tensor rows_, weight1_, weight2_;  ///< in x's type
  Tensor hidden_, kept_;             ///< after the activation; what it keeps for its gradient
};

}  // namespace

Tensor feed_forward(const Tensor& x, const Tensor& weight1, const Tensor& bias1, const Tensor& weight2, const Tensor& bias2,
                    FeedForwardActivation activation) {
  const Block b{x, weight1, bias1, weight2, bias2, activation};
  check(b);
  if (std::optional<Tensor> y = Fused::run(b)) return *y;
  return of_ops(b);
}

}  // namespace tenon

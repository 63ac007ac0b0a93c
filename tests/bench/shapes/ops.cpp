/// The ops that cases.txt names; peers/torch_shapes.py has the same by the same names.
#include <functional>
#include <stdexcept>

#include "case.hpp"
#include "tenon/attention.hpp"
#include "tenon/complex.hpp"
#include "tenon/cumulative.hpp"
#include "tenon/einsum.hpp"
#include "tenon/embedding.hpp"
#include "tenon/fft.hpp"
#include "tenon/indexing.hpp"
#include "tenon/linalg.hpp"
#include "tenon/losses.hpp"
#include "tenon/norms.hpp"
#include "tenon/ops.hpp"
#include "tenon/ordering.hpp"
#include "tenon/padding.hpp"
#include "tenon/pooling.hpp"
#include "tenon/resizing.hpp"
#include "tenon/sampling.hpp"

namespace shapes {

using namespace tenon;
using namespace tenon::linalg;

namespace {

using Results = std::vector<Tensor>;
using Op = std::function<Results(const Case&)>;

Op of_one(Tensor (*f)(const Tensor&)) {
  return [f](const Case& c) { return Results{f(c.in[0])}; };
}
Op of_two(Tensor (*f)(const Tensor&, const Tensor&)) {
  return [f](const Case& c) { return Results{f(c.in[0], c.in[1])}; };
}
Op along(Tensor (*f)(const Tensor&, int)) {
  return [f](const Case& c) { return Results{f(c.in[0], c.axis())}; };
}
Op over(Tensor (*f)(const Tensor&, const std::vector<int>&, bool)) {
  return [f](const Case& c) { return Results{f(c.in[0], c.axes(), false)}; };
}
Op loss(Tensor (*f)(const Tensor&, const Tensor&, Reduction)) {
  return [f](const Case& c) { return Results{f(c.in[0], c.in[1], Reduction::mean)}; };
}
Op transform(Tensor (*f)(const Tensor&, const std::vector<int>&, FftNorm)) {
  return [f](const Case& c) { return Results{f(c.in[0], c.transformed(), FftNorm::backward)}; };
}
Op pooled(Tensor (*f)(const Tensor&, const std::vector<std::int64_t>&, const std::vector<std::int64_t>&, const std::vector<std::int64_t>&)) {
  return [f](const Case& c) { return Results{f(c.in[0], c.sizes("kernel"), c.sizes("stride"), c.sizes("padding"))}; };
}
Tensor third(const Case& c) { return c.in.size() > 2 ? c.in[2] : Tensor(); }
ConvOptions conv_options(const Case& c) { return {c.sizes("stride"), c.sizes("padding"), c.sizes("dilation"), std::int64_t(c.number("groups", 1))}; }

const std::map<std::string, Op>& table() {
  static const std::map<std::string, Op> all = {
      // ---- elementwise
      {"add", of_two(add)}, {"sub", of_two(sub)}, {"mul", of_two(mul)}, {"div", of_two(div)}, {"pow", of_two(pow)}, {"maximum", of_two(maximum)},
      {"minimum", of_two(minimum)}, {"less", of_two(less)}, {"equal", of_two(equal)}, {"atan2", of_two(atan2)}, {"hypot", of_two(hypot)},
      {"add_number", [](const Case& c) { return Results{add(c.in[0], 1.5)}; }},
      {"pow_number", [](const Case& c) { return Results{pow(c.in[0], c.number("to", 2))}; }},
      {"exp", of_one(exp)}, {"expm1", of_one(expm1)}, {"log", of_one(log)}, {"log1p", of_one(log1p)}, {"sqrt", of_one(sqrt)}, {"rsqrt", of_one(rsqrt)},
      {"sin", of_one(sin)}, {"cos", of_one(cos)}, {"tan", of_one(tan)}, {"atan", of_one(atan)}, {"asin", of_one(asin)}, {"sinh", of_one(sinh)},
      {"acos", of_one(acos)}, {"cosh", of_one(cosh)}, {"gelu_tanh", of_one(gelu_tanh)}, {"leaky_relu", [](const Case& c) { return Results{leaky_relu(c.in[0])}; }}, {"tanh", of_one(tanh)}, {"erf", of_one(erf)}, {"lgamma", of_one(lgamma)}, {"digamma", of_one(digamma)}, {"sigmoid", of_one(sigmoid)},
      {"relu", of_one(relu)}, {"gelu", of_one(gelu)}, {"silu", of_one(silu)}, {"softplus", of_one(softplus)}, {"abs", of_one(abs)},
      {"floor", of_one(floor)}, {"round", of_one(round)}, {"sign", of_one(sign)}, {"is_nan", of_one(is_nan)},
      {"clamp", [](const Case& c) { return Results{clamp(c.in[0], -0.5, 0.5)}; }},
      {"elu", [](const Case& c) { return Results{elu(c.in[0])}; }},
      {"where", [](const Case& c) { return Results{where(c.in[0], c.in[1], c.in[2])}; }},
      {"to_f32", [](const Case& c) { return Results{c.in[0].to(DType::f32)}; }},
      {"to_bf16", [](const Case& c) { return Results{c.in[0].to(DType::bf16)}; }},
      {"to_i64", [](const Case& c) { return Results{c.in[0].to(DType::i64)}; }},
      // ---- reductions
      {"sum", over(sum)}, {"mean", over(mean)}, {"var", over(var)},
      {"min", [](const Case& c) { return Results{min(c.in[0], c.axis())}; }},
      {"max", [](const Case& c) { return Results{max(c.in[0], c.axis())}; }},
      {"argmax", along(argmax)},
      // ---- shape
      {"contiguous", [](const Case& c) { return Results{c.in[0].clone()}; }},
      {"permute", [](const Case& c) {
         const std::vector<int> to = c.axes("to");
         return Results{(to.size() == 2   ? c.in[0].permute({to[0], to[1]})
                         : to.size() == 3 ? c.in[0].permute({to[0], to[1], to[2]})
                                          : c.in[0].permute({to[0], to[1], to[2], to[3]}))
                            .clone()};
       }},
      {"concat", [](const Case& c) { return Results{concat(c.in, c.axis())}; }},
      {"stack", [](const Case& c) { return Results{stack(c.in, c.axis())}; }},
      {"flip", [](const Case& c) { return Results{flip(c.in[0], c.axes())}; }},
      {"roll", [](const Case& c) { return Results{roll(c.in[0], c.sizes("by"), c.axes())}; }},
      {"pad", [](const Case& c) { return Results{pad(c.in[0], c.sizes("before"), c.sizes("after"), 0)}; }},
      {"pad_reflect", [](const Case& c) {
         std::vector<AxisPadding> axes;
         for (std::size_t i = 0; i < c.sizes("by").size(); ++i)
           axes.push_back({int(i) + 1, {c.sizes("by")[i], PaddingMode::reflect}, {c.sizes("by")[i], PaddingMode::reflect}});
         return Results{pad_axes(c.in[0], axes)};
       }},
      {"tile", [](const Case& c) { return Results{tile(c.in[0], c.sizes("by"))}; }},
      {"repeat", [](const Case& c) { return Results{repeat(c.in[0], std::int64_t(c.number("by", 2)), c.axis())}; }},
      {"one_hot", [](const Case& c) { return Results{one_hot(c.in[0], std::int64_t(c.number("classes", 2)), DType::f32)}; }},
      {"narrow", [](const Case& c) {
         const auto from = c.sizes("from"), by = c.sizes("by");
         Tensor x = c.in[0];
         for (std::size_t a = 0; a < from.size(); ++a) x = x.narrow(int(a), from[a], by[a]);
         return Results{x.clone()};
       }},
      {"every_other", [](const Case& c) { return Results{c.in[0].slice(c.axis(), 0, c.in[0].size(c.axis()), 2).clone()}; }},
      {"tril", [](const Case& c) { return Results{tril(c.in[0])}; }},
      {"diagonal", [](const Case& c) { return Results{diagonal(c.in[0])}; }},
      // ---- products
      {"matmul", of_two(matmul)},
      {"linear", [](const Case& c) { return Results{linear(c.in[0], c.in[1], third(c))}; }},
      {"einsum", [](const Case& c) { return Results{einsum(c.text("of"), c.in)}; }},
      // ---- convolutions and what goes with them
      {"conv", [](const Case& c) { return Results{conv(c.in[0], c.in[1], third(c), conv_options(c))}; }},
      {"conv_transpose", [](const Case& c) { return Results{conv_transpose(c.in[0], c.in[1], third(c), conv_options(c), c.sizes("output_padding"))}; }},
      {"max_pool", pooled(max_pool)}, {"avg_pool", pooled(avg_pool)},
      {"adaptive_avg_pool", [](const Case& c) { return Results{adaptive_avg_pool(c.in[0], c.sizes("size"))}; }},
      {"adaptive_max_pool", [](const Case& c) { return Results{adaptive_max_pool(c.in[0], c.sizes("size"))}; }},
      {"global_avg_pool", of_one(global_avg_pool)}, {"global_max_pool", of_one(global_max_pool)},
      {"resize", [](const Case& c) {
         return Results{resize(c.in[0], c.sizes("size"), {resize_mode(c.text("mode", "linear")), c.has("corners"), c.has("antialias")})};
       }},
      {"depth_to_space", [](const Case& c) { return Results{depth_to_space(c.in[0], c.sizes("by"))}; }},
      // ---- norms, softmax, losses
      {"instance_norm", [](const Case& c) { return Results{instance_norm(c.in[0], c.in[1], c.in[2])}; }},
      {"group_norm", [](const Case& c) { return Results{group_norm(c.in[0], std::int64_t(c.number("groups", 1)), c.in[1], c.in[2])}; }},
      {"layer_norm", [](const Case& c) { return Results{layer_norm(c.in[0], c.in[1], c.in[2])}; }},
      {"rms_norm", [](const Case& c) { return Results{rms_norm(c.in[0], c.in[1])}; }},
      {"batch_norm", [](const Case& c) {
         const Tensor mean = Tensor::zeros({c.in[0].size(-1)}), var = Tensor::full({c.in[0].size(-1)}, 1);
         return Results{batch_norm(c.in[0], c.in[1], c.in[2], mean, var, true)};
       }},
      {"softmax", along(softmax)}, {"log_softmax", along(log_softmax)},
      {"cross_entropy", [](const Case& c) { return Results{cross_entropy(c.in[0], c.in[1])}; }},
      {"smoothed_cross_entropy", [](const Case& c) { return Results{cross_entropy(c.in[0], c.in[1], {.label_smoothing = 0.1})}; }},
      {"mse_loss", of_two(mse_loss)}, {"l1_loss", loss(l1_loss)}, {"kl_divergence", loss(kl_divergence)},
      {"huber_loss", [](const Case& c) { return Results{huber_loss(c.in[0], c.in[1])}; }},
      {"bce_with_logits", [](const Case& c) { return Results{bce_with_logits(c.in[0], c.in[1])}; }},
      {"gaussian_nll", [](const Case& c) { return Results{gaussian_nll(c.in[0], c.in[1], c.in[2])}; }},
      {"poisson_nll", [](const Case& c) { return Results{poisson_nll(c.in[0], c.in[1])}; }},
      // ---- attention and embeddings
      {"attention", [](const Case& c) {
         AttentionOptions options;
         options.causal = c.has("causal");
         if (c.in.size() > 3) options.mask = c.in[3];
         return Results{scaled_dot_product_attention(c.in[0], c.in[1], c.in[2], options)};
       }},
      {"embedding", [](const Case& c) { return Results{embedding(c.in[0], c.in[1])}; }},
      // ---- running sums
      {"cumsum", [](const Case& c) { return Results{cumsum(c.in[0], c.axis())}; }},
      {"cumprod", along(cumprod)}, {"logcumsumexp", along(logcumsumexp)},
      {"cummax", [](const Case& c) { return Results{cummax(c.in[0], c.axis()).values}; }},
      // ---- places and order
      {"index_select", [](const Case& c) { return Results{index_select(c.in[0], c.axis(), c.in[1])}; }},
      {"index_add", [](const Case& c) { return Results{index_add(c.in[0], c.axis(), c.in[1], c.in[2])}; }},
      {"gather", [](const Case& c) { return Results{gather(c.in[0], c.axis(), c.in[1])}; }},
      {"scatter_add", [](const Case& c) { return Results{scatter_add(c.in[0], c.axis(), c.in[1], c.in[2])}; }},
      {"take", of_two(take)}, {"masked_select", of_two(masked_select)}, {"nonzero", of_one(nonzero)},
      {"masked_fill", [](const Case& c) { return Results{masked_fill(c.in[0], c.in[1], -1)}; }},
      {"sort", [](const Case& c) {
         const Ordered s = sort(c.in[0], c.axis(), c.has("descending"));
         return Results{s.values, s.indices};
       }},
      {"topk", [](const Case& c) { return Results{topk(c.in[0], std::int64_t(c.number("k", 1)), c.axis()).values}; }},
      {"unique", [](const Case& c) {
         const Unique u = unique(c.in[0]);
         return Results{u.values, u.inverse, u.counts};
       }},
      {"searchsorted", [](const Case& c) { return Results{searchsorted(c.in[0], c.in[1])}; }},
      {"bincount", [](const Case& c) { return Results{bincount(c.in[0], std::int64_t(c.number("bins", 0)), c.in.size() > 1 ? c.in[1] : Tensor())}; }},
      {"scatter", [](const Case& c) { return Results{scatter(c.in[0], c.axis(), c.in[1], c.in[2])}; }},
      {"quantile", [](const Case& c) { return Results{quantile(c.in[0], c.number("q", 0.5), c.axis())}; }},
      {"median", [](const Case& c) { return Results{quantile(c.in[0], 0.5, c.axis())}; }},
      // ---- linear algebra
      {"cholesky", of_one(cholesky)}, {"inv", of_one(inv)}, {"det", of_one(det)}, {"solve", of_two(solve)}, {"cholesky_solve", of_two(cholesky_solve)},
      {"slogdet", [](const Case& c) { return Results{slogdet(c.in[0]).log_abs}; }},
      {"triangular_solve", [](const Case& c) { return Results{triangular_solve(c.in[0], c.in[1])}; }},
      {"qr", [](const Case& c) {
         const QR f = qr(c.in[0]);
         return Results{f.q, f.r};
       }},
      {"singular_values", of_one(singular_values)},
      {"svd", [](const Case& c) {
         const SVD f = svd(c.in[0]);
         return Results{matmul(f.u * f.s.unsqueeze(-2), f.vh)};  // the factors are unique up to signs
       }},
      {"eigvalsh", of_one(eigvalsh)},
      {"eigh", [](const Case& c) {
         const Eigh f = eigh(c.in[0]);
         return Results{matmul(f.v * f.w.unsqueeze(-2), f.v.transpose(-2, -1))};
       }},
      {"pinv", [](const Case& c) { return Results{pinv(c.in[0])}; }},
      {"lstsq", [](const Case& c) { return Results{lstsq(c.in[0], c.in[1])}; }},
      {"matrix_exp", of_one(matrix_exp)},
      // ---- transforms and complex numbers
      {"fft", transform(fft)}, {"ifft", transform(ifft)}, {"rfft", transform(rfft)},
      {"irfft", [](const Case& c) { return Results{irfft(c.in[0], std::int64_t(c.number("size", -1)), c.transformed())}; }},
      {"angle", of_one(angle)}, {"conj", [](const Case& c) { return Results{conj(c.in[0]).clone()}; }},
      // ---- random numbers: only their time is compared
      {"random_uniform", [](const Case& c) { return Results{random_uniform(c.in[0].shape(), 1, 2)}; }},
      {"random_normal", [](const Case& c) { return Results{random_normal(c.in[0].shape(), 1, 2)}; }},
      {"random_bernoulli", [](const Case& c) { return Results{random_bernoulli(c.in[0].shape(), 1, 2, 0.3)}; }},
      {"random_integers", [](const Case& c) { return Results{random_integers(c.in[0].shape(), 1, 2, 0, 1000)}; }},
      {"random_exponential", [](const Case& c) { return Results{random_exponential(c.in[0].shape(), 1, 2)}; }},
      {"random_gamma", [](const Case& c) { return Results{random_gamma(c.in[0].shape(), 1, 2, c.number("k", 2.5))}; }},
      {"random_permutation", [](const Case& c) { return Results{random_permutation(c.in[0].numel(), 1, 2)}; }},
  };
  return all;
}

}  // namespace

std::vector<Tensor> run(const Case& c) {
  const auto it = table().find(c.op);
  if (it == table().end()) throw std::invalid_argument("no such op: " + c.op);
  return it->second(c);
}

}  // namespace shapes

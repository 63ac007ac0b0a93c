/// Cross entropy with weights, smoothing and labels that do not count: its kernels against loops in double, and its gradient against plain
/// ops.
#include "core/ops/gradient_check.hpp"
#include "tenon/losses.hpp"

using namespace tenon;

namespace {

constexpr std::int64_t kRows = 75;

Tensor some_labels(std::int64_t classes) {
  std::vector<std::int64_t> v;
  for (std::int64_t i = 0; i < kRows; ++i) v.push_back(i % 7 == 3 ? -100 : (5 * i + i / 3) % classes);
  return Tensor::from(v, {kRows});
}

std::vector<double> by_definition(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& o) {
  const auto K = std::size_t(logits.size(1));
  const std::vector<double> x = logits.to_vector(),
                            w = o.class_weights.defined() ? o.class_weights.to_vector() : std::vector<double>(K, 1.0);
  std::vector<double> each;
  for (std::size_t r = 0; r < std::size_t(kRows); ++r) {
    const auto y = labels.data<std::int64_t>()[r];
    double sum = 0, all = 0;
    for (std::size_t k = 0; k < K; ++k) sum += std::exp(x[r * K + k]);
    const auto of = [&](std::size_t k) { return w[k] * (std::log(sum) - x[r * K + k]); };
    for (std::size_t k = 0; k < K; ++k) all += of(k);
    each.push_back(
        y < 0 ? 0 : (1 - o.label_smoothing) * of(std::size_t(y)) + (o.label_smoothing > 0 ? o.label_smoothing / double(K) * all : 0));
  }
  return each;
}

}  // namespace

TEST_CASE("weighted cross entropy of every class count and type against the definition", "[losses]") {
  for (std::int64_t K : {1, 3, 16, 17, 31, 100})
    for (auto [type, tolerance] : {std::pair{DType::f32, 1e-5}, std::pair{DType::f64, 1e-12}})
      for (double smoothing : {0.0, 0.2})
        for (bool weighted : {false, true}) {
          INFO(K << " classes, " << name_of(type) << ", smoothing " << smoothing << (weighted ? ", weighted" : ""));
          const Tensor labels = some_labels(K), weights = weighted ? (square(random_normal({K}, 4, 1)) + 0.1).to(type) : Tensor();
          const std::vector<Tensor> x = check::leaves({random_normal({kRows, K}, 3, std::uint64_t(K), 2, 3).to(type)});
          CrossEntropyOptions o{.class_weights = weights, .label_smoothing = smoothing, .reduction = Reduction::none};
          const std::vector<double> expected = by_definition(x[0], labels, o);
          const Tensor each = cross_entropy(x[0], labels, o), d = check::leaves({random_normal({kRows}, 5, 1).to(type)})[0];
          check::require_close(each.to_vector(), expected, tolerance);
          const auto plain = gradients({each}, x, {d}, true), fused = gradients({each}, x, {d});
          REQUIRE(plain[0].requires_grad());
          check::require_close(fused[0].to_vector(), plain[0].to_vector(), tolerance);
          double total = 0, share = 0;
          for (std::size_t r = 0; r < expected.size(); ++r) {
            const auto y = labels.data<std::int64_t>()[r];
            total += expected[r], share += y < 0 ? 0 : weighted ? weights.to_vector()[std::size_t(y)] : 1;
          }
          o.reduction = Reduction::mean;
          CHECK(cross_entropy(x[0], labels, o).item() == Approx(total / share).epsilon(tolerance).margin(1e-12));
        }
}

TEST_CASE("weighted cross entropy of masked classes, numbers that are not finite and weights that are learnt", "[losses]") {
  for (std::int64_t K : {5, 20}) {
    const Tensor labels = Tensor::from(std::vector<std::int64_t>{1, 2, -100, 0}, {4});
    Tensor x = random_normal({4, K}, 3, 1).clone();
    x.data<float>()[0] = -INFINITY;  // ruled out, and not the label
    x.data<float>()[1 * K] = NAN;
    x.data<float>()[2 * K + 1] = NAN;  // in a row that does not count
    const auto in = check::leaves({x});
    const Tensor each = cross_entropy(in[0], labels, {.reduction = Reduction::none});
    const std::vector<double> loss = each.to_vector(), d = gradients({each}, in, {Tensor::full({4}, 1)})[0].to_vector();
    CHECK(std::isfinite(loss[0]));
    CHECK(d[0] == 0);
    CHECK(std::isnan(loss[1]));
    CHECK(std::isnan(d[std::size_t(K) + 1]));
    CHECK(loss[2] == 0);
    for (std::size_t k = 0; k < std::size_t(K); ++k) CHECK(d[std::size_t(2 * K) + k] == 0);
    check::first_gradients([&](auto& v) { return cross_entropy(v[0], labels, {.class_weights = v[1], .label_smoothing = 0.1}); },
                           {check::made(1, {4, K}), square(check::made(2, {K})) + 0.5});
  }
}

TEST_CASE("weighted cross entropy gives the same bits for every thread count", "[losses][determinism]") {
  for (std::int64_t K : {4, 300}) {
    std::vector<std::int64_t> v(std::size_t(60000 / K));
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = std::int64_t(i) % K;
    const Tensor labels = Tensor::from(v, {std::int64_t(v.size())}), x = random_normal({labels.numel(), K}, 1, 1);
    check::same_bits(
        [&] { return check::with_gradients([&](auto& in) { return cross_entropy(in[0], labels, {.label_smoothing = 0.1}); }, {x}); });
  }
}

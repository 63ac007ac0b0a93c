/// Sums of products: PyTorch's values and gradients, loops over all indices for sizes that meet every tail, refusals.
#include "tenon/einsum.hpp"

#include "core/ops/golden_cases.hpp"
#include "tenon/plan.hpp"

using namespace tenon;
using golden::In;
using golden::made;
using golden::Values;

namespace {

const std::vector<golden::Case> kGolden{
#include "golden/einsum.inc"
};

std::map<std::string, golden::Run> runs() {
  const std::vector<std::pair<std::string, std::vector<Shape>>> all{
      {"ij,jk->ik", {{3, 4}, {4, 2}}},
      {"ij,jk->ki", {{3, 4}, {4, 2}}},
      {"ij,ij", {{3, 4}, {3, 4}}},
      {"ij,ij->i", {{3, 4}, {3, 4}}},
      {"i,j->ij", {{3}, {4}}},
      {"ij,kj,k->i", {{3, 4}, {2, 4}, {2}}},
      {"bixy,ioxy->boxy", {{2, 3, 4, 3}, {3, 2, 4, 3}}},
      {"bxyi,xyio->bxyo", {{2, 4, 3, 3}, {4, 3, 3, 2}}},
      {"bqhd,bkhd->bhqk", {{2, 3, 2, 4}, {2, 5, 2, 4}}},
      {"ii", {{4, 4}}},
      {"iji->ij", {{3, 2, 3}}},
      {"ijk->ki", {{2, 3, 4}}},
      {"...ij,...jk->...ik", {{2, 1, 3, 4}, {5, 4, 2}}},
      {"i...,i...->...", {{3, 2, 4}, {3, 1, 4}}},
      {"Ba,aB", {{2, 3}, {3, 2}}},
      {"dc,bA", {{2, 3}, {3, 2}}},
      {"ab,bc,cd,de->ae", {{2, 5}, {5, 3}, {3, 4}, {4, 2}}},
      {"ab,ac,ad,ae,af->bcdef", {{2, 2}, {2, 3}, {2, 2}, {2, 2}, {2, 2}}},
      {"a,b,c,d,e,abcde->a", {{2}, {2}, {3}, {2}, {2}, {2, 2, 3, 2, 2}}},
  };
  std::map<std::string, golden::Run> out;
  for (const auto& [equation, shapes] : all) {
    golden::Run run{{}, [e = equation](const In& v) { return einsum(e, v); }};
    for (std::size_t k = 0; k < shapes.size(); ++k) run.inputs.push_back(made(int(k) + 1, shapes[k]));
    out[equation] = run;
  }
  return out;
}

/// y[r, c, p] = sum over k of a[r, k, p] b[k, c, p], by loops in double.
Values product_by_lane(const Tensor& a, const Tensor& b) {
  const std::int64_t m = a.size(0), k = a.size(1), p = a.size(2), n = b.size(1);
  const Values x = a.to_vector(), w = b.to_vector();
  Values y(std::size_t(m * n * p), 0);
  for (std::int64_t r = 0; r < m; ++r)
    for (std::int64_t c = 0; c < n; ++c)
      for (std::int64_t d = 0; d < k; ++d)
        for (std::int64_t l = 0; l < p; ++l)
          y[std::size_t((r * n + c) * p + l)] += x[std::size_t((r * k + d) * p + l)] * w[std::size_t((d * n + c) * p + l)];
  return y;
}

}  // namespace

TEST_CASE("einsum and its gradients against PyTorch", "[einsum]") {
  golden::check_all(kGolden, runs());
}

TEST_CASE("products whose batch is innermost, at sizes that meet every tail", "[einsum]") {
  for (auto [m, k, n, p] : {std::array<std::int64_t, 4>{1, 1, 1, 8},
                            {4, 3, 3, 16},
                            {5, 7, 4, 9},
                            {9, 2, 7, 31},
                            {6, 5, 2, 200},
                            {33, 40, 35, 67},
                            {70, 90, 80, 8}}) {
    INFO(m << " x " << k << " x " << n << ", " << p << " lanes");
    for (DType type : {DType::f32, DType::f64}) {
      const Tensor a = made(1, {m, k, p}, type), b = made(2, {k, n, p}, type);
      const Values got = einsum("mkp,knp->mnp", {a, b}).to_vector(), expected = product_by_lane(a, b);
      REQUIRE(got.size() == expected.size());
      for (std::size_t i = 0; i < got.size(); ++i)
        REQUIRE(std::abs(got[i] - expected[i]) <= (type == DType::f32 ? 2e-6 : 1e-14) * double(k) * 4);
    }
  }
}

TEST_CASE("einsum takes blanks, views, 16-bit types and empty axes", "[einsum]") {
  const Tensor a = made(1, {3, 4}), b = made(2, {4, 2});
  CHECK(einsum(" i j , j k -> i k ", {a, b}).to_vector() == matmul(a, b).to_vector());
  check::require_close(einsum("ji,jk->ik", {a.transpose(0, 1), b}).to_vector(), matmul(a, b).to_vector(), 1e-13);
  CHECK(einsum("...", {a}).to_vector() == a.to_vector());
  CHECK(einsum("...->...", {a.select(0, 0)}).shape() == Shape{4});
  for (DType type : {DType::f16, DType::bf16}) {
    const Tensor y = einsum("ij,jk->ik", {a.to(type), b.to(type)});
    CHECK(y.dtype() == type);
    check::require_close(y.to_vector(), matmul(a, b).to_vector(), 0.05);
  }
  CHECK(einsum("bixy,ioxy->boxy", {made(1, {2, 3, 4, 4}, DType::bf16), made(2, {3, 5, 4, 4}, DType::bf16)}).dtype() == DType::bf16);
  CHECK(einsum("ij,jk->ik", {Tensor::zeros({2, 0}), Tensor::zeros({0, 3})}).to_vector() == Values(6, 0.0));
  CHECK(einsum("ijp,jkp->ikp", {Tensor::zeros({2, 0, 9}), Tensor::zeros({0, 3, 9})}).to_vector() == Values(54, 0.0));
  CHECK(einsum("ij,jk->ik", {Tensor::zeros({0, 2}), Tensor::zeros({2, 3})}).shape() == Shape{0, 3});
}

TEST_CASE("einsum gives the same bits for any number of threads, and in a replayed step", "[einsum][plan]") {
  const Tensor x = made(1, {4, 8, 12, 12}, DType::f32), w = made(2, {8, 8, 12, 12}, DType::f32);
  auto f = [](const In& v) { return einsum("bixy,ioxy->boxy", v); };
  check::same_bits([&] { return check::with_gradients(f, {x, w}); });
  Tensor y;
  StepPlan plan = StepPlan::record([&] { y = f({x, w}); });
  plan.run();
  CHECK(y.to_vector() == f({x, w}).to_vector());
}

TEST_CASE("einsum names the letter and its sizes when they do not agree", "[einsum]") {
  using check::refuses;
  const Tensor a = made(1, {3, 4}), b = made(2, {5, 2});
  refuses([&] { einsum("ij,jk->ik", {a, b}); }, "einsum", {"ij,jk->ik", "'j' is 4", "operand 1", "5"});
  refuses([&] { einsum("ii", {a}); }, "einsum", {"'i' is 3", "4"});
  refuses([&] { einsum("ij,jk->ik", {a, made(1, {1, 2})}); }, "einsum", {"'j' is 4", "1", "only \"...\" broadcasts"});
  refuses([&] { einsum("...i,...i", {made(1, {2, 3, 4}), made(1, {3, 3, 4})}); }, "einsum", {"axis -2 of \"...\"", "2", "3"});
  refuses([&] { einsum("ijk->i", {a}); }, "einsum", {"operand 0", "2 axes", "3"});
  refuses([&] { einsum("i->i", {a}); }, "einsum", {"2 axes"});
  refuses([&] { einsum("ij->ik", {a}); }, "einsum", {"'k' of the result stands in no operand"});
  refuses([&] { einsum("ij->ii", {a}); }, "einsum", {"'i' stands twice"});
  refuses([&] { einsum("ij,jk->ik", {a}); }, "einsum", {"2 operands in the equation, 1 given"});
  refuses([&] { einsum("i1->i", {a}); }, "einsum", {"'1' is no label"});
  refuses([&] { einsum("i......->i", {a}); }, "einsum", {"twice"});
  refuses([&] { einsum("i...->i", {a}); }, "einsum", {"1 axes that the result lacks"});
  refuses([&] { einsum("ij->i->j", {a}); }, "einsum", {"more than one result"});
  refuses([&] { einsum("ij,jk->ik", {a, b.to(DType::f32)}); }, "einsum", {"f32[5, 2]", "f64[3, 4]"});
  refuses([&] { einsum("ij->ji", {a.to(DType::i64)}); }, "einsum", {"i64[3, 4]"});
  refuses([&] { einsum("", {}); }, "einsum", {"no operands"});
  refuses(
      [&] {
        einsum("abcde,fghij->abcdefghij", {Tensor::zeros({1, 1, 1, 1, 1}), Tensor::zeros({1, 1, 1, 1, 1})});
      },
      "einsum", {"10 axes"});
}

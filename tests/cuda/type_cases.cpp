// Element types, views and results of several parts, which the tables of ops have not.
#include <limits>

#include "core/ops/gradient_check.hpp"
#include "cuda/cases.hpp"
#include "tenon/complex.hpp"
#include "tenon/cumulative.hpp"
#include "tenon/indexing.hpp"
#include "tenon/linalg.hpp"
#include "tenon/ops.hpp"
#include "tenon/ordering.hpp"

using namespace tenon;
using namespace under_test;
using check::made;
using check::spread;
using In = std::vector<Tensor>;

namespace {

const DType kAllTypes[] = {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i8,
                           DType::i16, DType::i32, DType::i64, DType::u8,   DType::boolean};
const DType kIntegers[] = {DType::i8, DType::i16, DType::i32, DType::i64, DType::u8};

Tensor whole(const Shape& shape, std::int64_t low, std::int64_t high, DType type) {
  std::vector<std::int64_t> v;
  for (std::int64_t i = 0; i < shape.numel(); ++i) v.push_back(low + (i * 7 + i / 5) % (high - low));
  return Tensor::from(v, shape).to(type);
}
std::string pair(DType a, DType b) {
  return std::string(name_of(a)) + " to " + std::string(name_of(b));
}

void conversions() {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const std::vector<double> awkward{0,         -0.0, 1,     -1,           0.4999,  2.5,   -2.5,  127,
                                    128,       255,  256,   -129,         65504,   65520, 1e-8,  6e-8,
                                    3.3895e38, 1e39, -1e39, 2147483648.0, -9.3e18, kInf,  -kInf, std::numeric_limits<double>::quiet_NaN()};
  const Tensor x = Tensor::from(awkward, {24});
  for (DType a : kAllTypes)
    for (DType b : kAllTypes) {
      note(pair(a, b), x.to(a).to(b));
      note(pair(a, b) + ", a view", whole({5, 37}, -60, 60, a).transpose(0, 1).to(b));
    }
  const Tensor z = complex(spread({40}), spread({40}, -2, 1));
  note("complex", z.to(DType::c64).to(DType::c128));
  note("complex from real", spread({40}).to(DType::c64));
  for (DType a : {DType::f32, DType::f64, DType::i32}) note("a column, spread", whole({5, 1}, -60, 60, a).expand({5, 48}).to(DType::bf16));
}

void integer_maths() {
  for (DType t : kIntegers) {
    const Tensor a = whole({9, 33}, t == DType::u8 ? 0 : -90, 100, t), b = whole({33}, t == DType::u8 ? 0 : -3, 5, t);
    const std::string name(name_of(t));
    for (const Tensor& y : {add(a, b), sub(a, b), mul(a, b), div(a, b), maximum(a, b), minimum(a, b), sum(a, {0}), sum(a), max(a, 1),
                            min(a, 0), argmax(a, 1), where(less(a, b), a, b)})
      note(name, y);
  }
  const Tensor yes = whole({300}, 0, 2, DType::boolean);
  note("bool", equal(yes, whole({300}, 0, 3, DType::boolean)));
  note("bool, sum", sum(yes.to(DType::i64)));
}

/// Copies of every order of axes, of parts that begin at odd places, and into such parts.
void copies() {
  const Tensor x = spread({6, 10, 34, 7});
  for (auto order : {std::array{3, 2, 1, 0}, {0, 3, 1, 2}, {0, 2, 3, 1}, {1, 0, 2, 3}, {0, 1, 3, 2}, {2, 0, 3, 1}}) {
    const Tensor y = x.permute({order[0], order[1], order[2], order[3]});
    note("permuted", y.contiguous());
    note("permuted, a part", y.narrow(1, 1, y.size(1) - 2).narrow(3, 1, y.size(3) - 1).contiguous());
  }
  const Tensor line = spread({5000});
  for (std::int64_t from : {1, 2, 3, 5, 7})
    for (std::int64_t n : {1, 2, 7, 8, 9, 255, 256, 257, 1023, 4097}) note("a part of a line", line.narrow(0, from, n).clone());
  Tensor target = Tensor::zeros({5000}, line.dtype());
  target.narrow(0, 3, 1025).assign(line.narrow(0, 1, 1025));
  target.narrow(0, 1501, 514).fill(2);
  target.narrow(0, 2500, 1000).assign(Tensor::full({}, 3, line.dtype()).expand({1000}));
  note("assigned", target);
  Tensor square = Tensor::zeros({40, 40}, line.dtype());
  square.transpose(0, 1).narrow(0, 1, 33).assign(spread({33, 40}));
  note("assigned across", square);
  note("expanded", spread({1, 7, 1}).expand({33, 7, 9}).contiguous());
  for (DType t : kAllTypes) note("filled", Tensor::full({77}, 3, t));
  for (DType t : {DType::c64, DType::c128}) note("filled", Tensor::full({77}, 3, t));
  for (DType t : kAllTypes) note("one of five", one_hot(whole({30}, 0, 5, DType::i64), 5, t));
}

void empties() {
  const DType t = check::number_type();
  const Tensor none = Tensor::zeros({0, 5}, t), narrow = Tensor::zeros({3, 0}, t);
  note("add", none + none);
  note("broadcast", none + spread({1, 5}));
  note("exp", exp(none));
  note("sum of none", sum(none, {0}));
  note("sum of no rows", sum(none, {1}));
  note("sum of all", sum(none));
  note("softmax", softmax(none));
  note("concat", concat({none, spread({2, 5}), none}, 0));
  note("matmul, no rows", matmul(none, spread({5, 4})));
  note("matmul, nothing to add", matmul(narrow, Tensor::zeros({0, 4}, t)));
  check::first_gradients([](const In& x) { return linear(x[0], x[1], x[2]); }, {none, spread({4, 5}), spread({4})});
  note("transposed", none.transpose(0, 1).contiguous());
  note("flip", flip(none, {1}));
  note("pad", pad(narrow, {0, 1}, {0, 2}, 0.5));
  note("cumsum", cumsum(none, 0));
  note("sorted", sort(none).values);
  note("index_select", index_select(spread({4, 3}), 0, Tensor::zeros({0}, DType::i64)));
  note("where", where(greater(none, none), none, none));
}

void parts() {
  const Tensor x = made(1, {3, 40});
  for (bool descending : {false, true}) {
    check::first_gradients([=](const In& v) { return sort(v[0], -1, descending).values; }, {x});
    note("indices", sort(x, 0, descending).indices);
  }
  for (std::int64_t k : {1, 5, 40}) {
    check::first_gradients([=](const In& v) { return topk(v[0], k).values; }, {x});
    note("indices", topk(x, k, -1, false).indices);
  }
  // rows that are too long for one block to sort: few of each number, or so many that their places tell them apart
  check::first_gradients([](const In& v) { return topk(v[0], 9).values; }, {made(1, {2, 4300})});
  for (bool largest : {false, true}) {
    const Ordered few = topk(whole({2, 4300}, 0, 700, check::number_type()), 12, -1, largest), equal = topk(whole({9001}, 0, 2, check::number_type()), 5, -1, largest);
    note("of many", few.values), note("of many", few.indices), note("of equals", equal.values), note("of equals", equal.indices);
  }
  const Unique u = unique(whole({7, 50}, 0, 9, check::number_type()));
  note("unique", u.values), note("inverse", u.inverse), note("counts", u.counts);
}

/// In a block's own counts, and where these would be too many.
void counts() {
  for (DType t : kIntegers)
    for (std::int64_t n : {0, 30, 9000})
      for (std::int64_t bins : {40, 100, 9000}) note("bincount", bincount(whole({n}, 0, 40, t), bins));
  note("bincount, as many as it takes", bincount(whole({9, 31}, 0, 40, DType::i64)));
  note("bincount, weighed", bincount(whole({9, 31}, 0, 40, DType::i64), 50, whole({9, 31}, -7, 8, DType::i64)));
  note("whole numbers added", scatter_add(whole({9, 7}, -5, 90, DType::i64), 0, whole({40, 7}, 0, 9, DType::i64), whole({40, 7}, -90, 90, DType::i64)));
  for (DType t : {DType::i8, DType::i16, DType::i32, DType::i64, DType::u8, DType::boolean}) {
    const Tensor x = whole({5, 33, 34}, 0, 100, t);
    for (const std::vector<int>& axes : std::vector<std::vector<int>>{{0}, {1}, {2}, {1, 2}, {0, 2}, {}}) note("sum", sum(x, axes));
    note("sum of short rows", sum(whole({70, 5}, 0, 100, t), {1}));
    note("sum of many columns", sum(whole({300, 2, 16}, 0, 100, t), {1}));
    note("sum of a long row", sum(whole({2, 4500}, 0, 100, t), {1}));
    note("sum of nothing", sum(whole({3, 0}, 0, 100, t), {1}));
  }
  note("rows of them", index_add(whole({3, 9, 7}, -5, 90, DType::i32), 1, whole({40}, 0, 9, DType::i64), whole({3, 40, 7}, -90, 90, DType::i32)));
  note("none", scatter_add(spread({9, 7}), 0, Tensor::zeros({0, 7}, DType::i64), Tensor::zeros({0, 7}, check::number_type())));
}

Tensor irregular(int k, const Shape& shape) {
  std::vector<double> v;
  for (std::int64_t i = 0; i < shape.numel(); ++i) v.push_back(std::sin(0.37 * double(i) * double(i) + 1.7 * double(i) + k));
  return Tensor::from(v, shape).to(check::number_type());
}

void decompositions() {
  for (const Shape& s : {Shape{2, 3, 3}, Shape{4, 2}, Shape{2, 4}}) {
    check::first_gradients([](const In& x) { return linalg::qr(x[0]).q; }, {irregular(1, s)});
    check::first_gradients([](const In& x) { return linalg::qr(x[0]).r; }, {irregular(1, s)});
    check::first_gradients([](const In& x) { return linalg::svd(x[0]).u; }, {irregular(2, s)});
    check::first_gradients([](const In& x) { return linalg::svd(x[0]).s; }, {irregular(2, s)});
    check::first_gradients([](const In& x) { return linalg::svd(x[0]).vh; }, {irregular(2, s)});
  }
  check::first_gradients([](const In& x) { return linalg::eigh(x[0]).w; }, {irregular(1, {2, 3, 3})});
  check::first_gradients([](const In& x) { return linalg::eigh(x[0]).v; }, {irregular(1, {2, 3, 3})});
  check::first_gradients([](const In& x) { return linalg::slogdet(x[0]).log_abs; }, {irregular(1, {2, 3, 3})});
  note("complete", linalg::qr(irregular(1, {2, 5, 3}), linalg::QRMode::complete).q);
  note("larger", linalg::solve(irregular(1, {3, 40, 40}), irregular(2, {3, 40, 7})));
  note("larger", linalg::det(irregular(1, {3, 33, 33}) * 0.3));
  // of less than full rank
  const Tensor thin = matmul(irregular(3, {2, 9, 3}), irregular(4, {2, 3, 6}));
  for (const Tensor& a : {thin, thin.transpose(1, 2).contiguous(), Tensor::zeros({4, 4}, check::number_type())}) {
    const linalg::SVD d = linalg::svd(a);
    note("values", d.s), note("product", matmul(d.u * d.s.unsqueeze(-2), d.vh));
    note("orthogonal", matmul(d.u.transpose(-2, -1), d.u)), note("orthogonal", matmul(d.vh, d.vh.transpose(-2, -1)));
  }
  note("singular", linalg::det(concat({thin.narrow(1, 0, 6), irregular(1, {1, 6, 6}) * 0.5}, 0)));
  note("a zero pivot", linalg::slogdet(Tensor::from(std::vector<double>{0, 2, 1, 0, 3, 1, 0, 4, 1}, {3, 3}).to(check::number_type())).sign);
  note("NaN", linalg::matrix_exp(Tensor::full({3, 3}, std::numeric_limits<double>::quiet_NaN(), check::number_type())));
}

const Register cases(std::vector<Extra>{
    {"conversions between all types", conversions, {DType::f64}},
    {"maths of integers", integer_maths, {DType::f64}},
    {"copies", copies, {DType::f64, DType::f32, DType::bf16}},
    {"empty tensors", empties, {DType::f32, DType::bf16}},
    {"sort, topk, unique", parts, {DType::f64, DType::f32, DType::bf16}},
    {"counts and sums of whole numbers", counts, {DType::f64, DType::f32}},
    {"decompositions", decompositions, {DType::f64, DType::f32}},
});

}  // namespace

/// Sorting and order statistics: PyTorch's and NumPy's values, the standard library's stable sort for every type and length, refusals.
#include "tenon/ordering.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "core/ops/golden_cases.hpp"
#include "tenon/indexing.hpp"
#include "tenon/plan.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using golden::In;
using golden::made;
using golden::Values;
using Ints = std::vector<std::int64_t>;

namespace {

const std::vector<golden::Case> kGolden{
#include "golden/ordering.inc"
};
constexpr double kInf = std::numeric_limits<double>::infinity(), kNaN = std::numeric_limits<double>::quiet_NaN();

std::map<std::string, golden::Run> runs() {
  const Tensor x = made(1, {3, 5, 2}), line = made(2, {2, 40}),
               special = Tensor::from(Values{3, kNaN, -kInf, 2, 7, kInf, kNaN, -1, kInf, 0, 2}, {11});
  const Tensor whole = Tensor::from(Ints{4, 1, 4, 7, 1, 0, 4, 9, 7}, {3, 3});
  const Tensor edges = Tensor::from(Values{-1, 0.5, 0.5, 2, 3}, {5}), asked = Tensor::from(Values{-2, -1, 0.5, 0.7, 3, 9, kNaN}, {7});
  std::map<std::string, golden::Run> all{
      {"topk_few", {{line}, [](const In& v) { return topk(v[0], 3, 1).values; }}},
      {"topk_few_indices", {{line}, [](const In& v) { return topk(v[0], 3, 1).indices; }}},
      {"quantile_several",
       {{x},
        [](const In& v) {
          return quantile(v[0], {0.9, 0.25}, 1, true);
        }}},
      {"median_even", {{line}, [](const In& v) { return median(v[0], 1); }}},
      {"sort_special", {{special}, [](const In& v) { return sort(v[0]).values; }}},
      {"argsort_special", {{special}, [](const In& v) { return argsort(v[0]); }}},
      {"unique_0", {{x}, [=](const In&) { return unique(whole).values; }}},
      {"unique_1", {{x}, [=](const In&) { return unique(whole).inverse; }}},
      {"unique_2", {{x}, [=](const In&) { return unique(whole).counts; }}},
      {"searchsorted_left", {{x}, [=](const In&) { return searchsorted(edges, asked); }}},
      {"searchsorted_right", {{x}, [=](const In&) { return searchsorted(edges, asked, true); }}},
      {"bincount", {{x}, [=](const In&) { return bincount(whole); }}},
      {"bincount_weights",
       {{made(3, {9})},
        [=](const In& v) {
          return bincount(whole, 10, v[0].reshape({3, 3}));
        }}},
  };
  for (int axis : {0, 1, 2}) {
    for (bool down : {false, true}) {
      const std::string n = std::to_string(axis) + (down ? "_down" : "_up");
      all["sort_" + n] = {{x}, [=](const In& v) { return sort(v[0], axis, down).values; }};
      all["argsort_" + n] = {{x}, [=](const In& v) { return argsort(v[0], axis - 3, down); }};
      all["topk_" + n] = {{x}, [=](const In& v) { return topk(v[0], 2, axis, down).values; }};
    }
    for (auto [q, n] : {std::pair{0.0, "0_00"}, {0.1, "0_10"}, {0.5, "0_50"}, {0.77, "0_77"}, {1.0, "1_00"}})
      if (axis < 2)
        all["quantile_" + std::string(n) + "_" + std::to_string(axis)] = {{x}, [=, p = q](const In& v) { return quantile(v[0], p, axis); }};
  }
  return all;
}

/// Normal values, some zero of either sign, some infinite, some missing, many equal; whole numbers of either sign where the type has them.
Tensor mixed(std::int64_t n, DType type, std::uint64_t stream) {
  Random random(17, stream);
  Values v;
  for (std::int64_t i = 0; i < n; ++i) {
    const double u = random.uniform(std::uint64_t(2 * i)), z = double(random.uniform(std::uint64_t(2 * i + 1))) * 200 - 100;
    if (is_floating(type))
      v.push_back(u < 0.02   ? kNaN
                  : u < 0.05 ? 0.0
                  : u < 0.08 ? -0.0
                  : u < 0.1  ? kInf
                  : u < 0.12 ? -kInf
                  : u < 0.4  ? std::round(z / 20)
                             : z);
    else
      v.push_back(type == DType::u8 ? std::abs(std::round(z)) : std::round(z));
  }
  return Tensor::from(v, {n}).to(type);
}

/// Positions in order: NaN last, equals as they come.
Ints stable_order(const Values& v, bool descending) {
  Ints order(v.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    const double x = v[std::size_t(a)], y = v[std::size_t(b)];
    return std::isnan(y) ? !std::isnan(x) : descending ? x > y : x < y;
  });
  return order;
}

bool same_bits_of(const Tensor& a, const Tensor& b) {
  const Tensor x = a.contiguous(), y = b.contiguous();
  return x.shape() == y.shape() && x.dtype() == y.dtype() && std::memcmp(x.raw(), y.raw(), x.nbytes()) == 0;
}

constexpr DType kTypes[] = {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i8,
                            DType::i16, DType::i32, DType::i64, DType::u8,   DType::boolean};

}  // namespace

TEST_CASE("ordering ops and their gradients against PyTorch and NumPy", "[ordering]") {
  golden::check_all(kGolden, runs());
}

TEST_CASE("sort is the stable sort, for every type and length", "[ordering]") {
  for (DType type : kTypes)
    for (std::int64_t n : {1, 2, 63, 191, 192, 1000}) {
      const Tensor x = mixed(n, type, std::uint64_t(n));
      for (bool down : {false, true}) {
        INFO(name_of(type) << ", " << n << " elements, " << (down ? "descending" : "ascending"));
        const Ordered o = sort(x, 0, down);
        const Ints expected = stable_order(x.to_vector(), down);
        REQUIRE(std::equal(expected.begin(), expected.end(), o.indices.data<std::int64_t>()));
        REQUIRE(same_bits_of(o.values, index_select(x, 0, o.indices)));  // the signs of zeros and the bits of NaN too
        for (std::int64_t k : {std::int64_t(1), n / 8, n / 2}) {
          const Ordered top = topk(x, k, 0, down);
          REQUIRE(same_bits_of(top.indices, o.indices.narrow(0, 0, k)));
          REQUIRE(same_bits_of(top.values, o.values.narrow(0, 0, k)));
        }
      }
    }
}

TEST_CASE("extremes of the integer types are sorted", "[ordering]") {
  constexpr std::int64_t low = std::numeric_limits<std::int64_t>::min(), high = std::numeric_limits<std::int64_t>::max();
  const Ordered o = sort(Tensor::from(Ints{0, high, -1, low, high, low}, {6}));
  CHECK(o.indices.to_vector() == Values{3, 5, 2, 0, 1, 4});
  CHECK(o.values.data<std::int64_t>()[0] == low);
  CHECK(o.values.data<std::int64_t>()[5] == high);
  CHECK(sort(Tensor::from(Ints{-128, 127, 0}, {3}).to(DType::i8), 0, true).values.to_vector() == Values{127, 0, -128});
}

TEST_CASE("long rows are shared among threads and sorted alike", "[ordering]") {
  struct Restore {
    int threads = thread_count();
    ~Restore() { set_thread_count(threads); }
  } restore;
  for (DType type : {DType::f32, DType::i64}) {
    const Tensor x = mixed(70001, type, 5);
    const Ints expected = stable_order(x.to_vector(), true);
    for (int threads : {1, 2, 4, 9}) {
      set_thread_count(threads);
      const Ordered o = sort(x, 0, true), top = topk(x, 300, 0);
      REQUIRE(std::equal(expected.begin(), expected.end(), o.indices.data<std::int64_t>()));
      REQUIRE(same_bits_of(top.indices, o.indices.narrow(0, 0, 300)));
      REQUIRE(same_bits_of(top.values, o.values.narrow(0, 0, 300)));
    }
  }
}

TEST_CASE("topk of hard lines", "[ordering]") {
  const std::int64_t n = 20000;
  Values rising, equal;
  for (std::int64_t i = 0; i < n; ++i) {
    rising.push_back(double(i));
    equal.push_back(1);
  }
  CHECK(topk(Tensor::from(rising, {n}).to(DType::f32), 2, 0).indices.to_vector() ==
        Values{double(n - 1), double(n - 2)});  // each better than all before
  CHECK(topk(Tensor::from(equal, {n}).to(DType::f32), 3, 0).indices.to_vector() == Values{0, 1, 2});
  const Tensor missing = Tensor::from(Values{kNaN, 1, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN}, {9});
  golden::require_same(topk(missing, 2, 0).values.to_vector(), {1, kNaN});
  CHECK(topk(missing, 2, 0).indices.to_vector() == Values{1, 0});
  CHECK(topk(missing, 0, 0).values.shape() == Shape{0});
  const Tensor many = random_normal({1000, 33}, 1, 1);  // many short rows
  const Ordered top = topk(many, 4), all = sort(many, -1, true);
  CHECK(same_bits_of(top.indices, all.indices.narrow(1, 0, 4)));
}

TEST_CASE("topk of thousands is the beginning of the order", "[ordering]") {
  const std::int64_t n = 200000, k = 3000;  // selected on a CPU
  const Tensor x = round(random_normal({n}, 1, 9, 0, 50));
  for (bool largest : {true, false}) {
    const Ordered top = topk(x, k, 0, largest), all = sort(x, 0, largest);
    CHECK(top.values.to_vector() == all.values.narrow(0, 0, k).to_vector());
    CHECK(top.indices.to_vector() == all.indices.narrow(0, 0, k).to_vector());
  }
}

TEST_CASE("gradients of sort, topk and quantiles, first and second", "[ordering]") {
  auto both = [](const check::Function& f, const In& inputs) {
    check::first_gradients(f, inputs);
    check::second_gradients(f, inputs);
  };
  const Tensor x = check::spread({2, 9, 2});
  both([](const In& v) { return square(sort(v[0], 1, true).values); }, {x});
  both([](const In& v) { return square(topk(v[0], 2, 1).values); }, {x});
  both([](const In& v) { return square(topk(v[0], 7, 1, false).values); }, {x});
}

TEST_CASE("unique elements of every type", "[ordering]") {
  for (DType type : kTypes) {
    INFO(name_of(type));
    const Tensor x = mixed(3000, type, 9).reshape({30, 100});
    const Unique u = unique(x);
    Values v = x.to_vector();
    Values expected;
    for (std::int64_t i : stable_order(v, false))
      if (const double e = v[std::size_t(i)]; expected.empty() || (expected.back() != e && !std::isnan(expected.back())))
        expected.push_back(e);
    golden::require_same(u.values.to_vector(), expected);
    golden::require_same(index_select(u.values, 0, u.inverse).to_vector(), v);
    CHECK(sum(u.counts).item() == 3000);
    CHECK(u.counts.to_vector() == bincount(u.inverse).to_vector());
  }
  CHECK(unique(Tensor::empty({0, 2})).values.shape() == Shape{0});
}

TEST_CASE("searches in sorted rows", "[ordering]") {
  const Tensor rows = sort(random_normal({3, 101}, 4, 1)).values, asked = random_normal({3, 57}, 4, 2);
  for (bool right : {false, true}) {
    const Tensor got = searchsorted(rows, asked, right);
    for (std::int64_t r = 0; r < 3; ++r)
      for (std::int64_t k = 0; k < 57; ++k) {
        const float *begin = rows.data<float>() + r * 101, *end = begin + 101, v = asked.data<float>()[r * 57 + k];
        REQUIRE(got.data<std::int64_t>()[r * 57 + k] ==
                (right ? std::upper_bound(begin, end, v) : std::lower_bound(begin, end, v)) - begin);
      }
  }
  const Tensor bytes = Tensor::from(Ints{1, 3, 3}, {3}).to(DType::u8);
  CHECK(searchsorted(bytes, bytes, true).to_vector() == Values{1, 3, 3});
  CHECK(searchsorted(Tensor::from(Values{1, kNaN, kNaN}, {3}), Tensor::from(Values{2, kNaN}, {2})).to_vector() == Values{1, 1});
  CHECK(searchsorted(Tensor::empty({0}), Tensor::zeros({2})).to_vector() == Values{0, 0});
  CHECK_THROWS_WITH(searchsorted(Tensor::from(Values{1, 2, 5, 4}, {2, 2}), Tensor::zeros({2, 1}, DType::f64)),
                    Catch::Matchers::Contains("at 1 of row 1") && Catch::Matchers::Contains("4.0") && Catch::Matchers::Contains("5.0"));
}

TEST_CASE("quantiles of lines with infinities and missing values", "[ordering]") {
  golden::require_same(quantile(Tensor::from(Values{kInf, 1, kInf, kInf}, {4}), {0, 0.5, 0.9}, 0).to_vector(), {1, kInf, kInf});
  golden::require_same(median(Tensor::from(Values{1, kNaN, 3, 1, 2, 3}, {2, 3}), 1).to_vector(), {kNaN, 2});
  CHECK(median(Tensor::full({7, 1}, 0.1), 0, true).to_vector() == Tensor::full({1}, 0.1).to_vector());
  CHECK(quantile(Tensor::from(Values{0, 1}, {2}).to(DType::bf16), 0.25, 0).dtype() == DType::bf16);
  // equal neighbours give themselves, whatever the rounding
  for (double q : {0.1, 0.3, 0.7, 0.9}) CHECK(quantile(Tensor::full({4}, 0.1, DType::f64), q, 0).item() == 0.1);
}

TEST_CASE("bincount counts, weighs and differentiates its weights", "[ordering]") {
  const Tensor x = Tensor::from(Ints{2, 0, 2}, {3});
  CHECK(bincount(x.to(DType::u8), 5).to_vector() == Values{1, 0, 2, 0, 0});
  CHECK(bincount(Tensor::empty({0}, DType::i64)).shape() == Shape{0});
  check::first_gradients([&](const In& v) { return square(bincount(x, 3, v[0])); }, {made(1, {3})});
  check::second_gradients([&](const In& v) { return square(bincount(x, 3, v[0])); }, {made(1, {3})});
  for (const Tensor& bad : {Tensor::from(Ints{1, 3}, {2}), Tensor::from(Ints{1, -1}, {2})})
    CHECK_THROWS_WITH(bincount(bad, 3), Catch::Matchers::Contains("bincount: index ") && Catch::Matchers::Contains("[1]"));
  CHECK_THROWS_WITH(bincount(Tensor::from(Ints{-5}, {1})), Catch::Matchers::Contains("index -5"));
}

TEST_CASE("ordering ops give the same bits for any number of threads", "[ordering]") {
  const Tensor x = random_normal({40, 300}, 3, 1), line = random_normal({50000}, 3, 2);
  check::same_bits([&] {
    In out = check::with_gradients([](const In& v) { return sort(v[0], 0).values; }, {x});
    for (const Tensor& t : check::with_gradients([](const In& v) { return quantile(v[0], {0.2, 0.6}, 1); }, {x})) out.push_back(t);
    for (const Tensor& t :
         {topk(line, 20).indices, unique(round(line)).inverse, bincount(argsort(line)), searchsorted(sort(line).values, line)})
      out.push_back(t);
    return out;
  });
}

TEST_CASE("ordering ops replay, and refuse what does not fit", "[ordering][plan]") {
  using check::refuses;
  Tensor x = made(1, {4}), y, best, n = Tensor::from(Ints{0, 1}, {2});
  StepPlan plan = StepPlan::record([&] {
    y = sort(x).values;
    best = topk(concat({x, x, x}, 0), 1).indices;
  });
  x.assign(Tensor::from(Values{3, 1, 4, 2}, {4}));
  plan.run();
  CHECK(y.to_vector() == Values{1, 2, 3, 4});
  CHECK(best.to_vector() == Values{2});
  refuses([&] { StepPlan::record([&] { unique(x); }); }, "unique", {"recorded"});
  refuses([&] { StepPlan::record([&] { bincount(n); }); }, "bincount", {"recorded"});
  refuses([&] { sort(x, 1); }, "sort", {"axis 1", "[4]"});
  refuses([&] { argsort({}); }, "argsort", {"undefined"});
  refuses([&] { topk(x, 5); }, "topk", {"first 5 of 4"});
  refuses([&] { topk(x, -1); }, "topk", {"first -1"});
  refuses([&] { searchsorted(x, n); }, "searchsorted", {"f64[4]", "i64[2]"});
  refuses([&] { searchsorted(made(1, {2, 2}), made(1, {3, 2})); }, "searchsorted", {"[2, 2]", "[3, 2]"});
  refuses([&] { bincount(x); }, "bincount", {"f64[4]"});
  refuses([&] { bincount(n, -1); }, "bincount", {"-1 bins"});
  refuses([&] { bincount(n, 2, x); }, "bincount", {"f64[4]", "i64[2]"});
  refuses([&] { quantile(x, 1.5, 0); }, "quantile", {"1.5"});
  refuses([&] { quantile(x, std::nan(""), 0); }, "quantile", {"nan"});
  refuses([&] { quantile(n, 0.5, 0); }, "quantile", {"i64[2]"});
  refuses([&] { quantile(Tensor::empty({2, 0}), 0.5, 1); }, "quantile", {"empty"});
  refuses([&] { quantile(x, std::vector<double>{}, 0); }, "quantile", {"no q"});
}

TEST_CASE("complex numbers have no order", "[ordering][misuse]") {
  const Tensor z = Tensor::zeros({4}, DType::c64), n = Tensor::zeros({4}, DType::i64);
  check::refuses([&] { sort(z); }, "sort", {"c64[4]", "no order"});
  check::refuses([&] { argsort(z); }, "argsort", {"c64[4]"});
  check::refuses([&] { topk(z, 1); }, "topk", {"c64[4]"});
  check::refuses([&] { unique(z); }, "unique", {"c64[4]"});
  check::refuses([&] { searchsorted(z, z); }, "searchsorted", {"c64[4]"});
  check::refuses([&] { bincount(z); }, "bincount", {"c64[4]"});
  check::refuses([&] { median(z, 0); }, "median", {"c64[4]"});
  check::refuses([&] { median(n, 0); }, "median", {"i64[4]"});
}

/// Ops that pick, place and rearrange: PyTorch's values and gradients, plain loops for every type and every way of cutting the work,
/// refusals.
#include "tenon/indexing.hpp"

#include <limits>

#include "core/ops/golden_cases.hpp"
#include "tenon/complex.hpp"
#include "tenon/cumulative.hpp"
#include "tenon/ordering.hpp"
#include "tenon/plan.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using golden::In;
using golden::made;
using golden::Values;
using Ints = std::vector<std::int64_t>;

namespace {

const std::vector<golden::Case> kGolden{
#include "golden/indexing.inc"
};

Tensor ints(const Ints& v, const Shape& shape) {
  return Tensor::from(v, shape);
}

std::map<std::string, golden::Run> runs() {
  const Tensor x = made(1, {3, 4, 2}), row = ints({2, 0, 2, 1}, {4}), few = ints({1, 3, 1}, {3}), square = made(1, {2, 3, 4});
  const Tensor middle = ints({0, 3, 3, 3, 1, 0, 2, 2, 3, 1, 3, 0}, {3, 2, 2}), once = ints({0, 3, 2, 1, 1, 0, 2, 2, 3, 1, 0, 0}, {3, 2, 2});
  Ints lines;
  for (const Ints& line : {Ints{1, 0, 1}, Ints{0, 0, 0}, Ints{1, 1, 0}})
    for (int i = 0; i < 4; ++i) lines.insert(lines.end(), line.begin(), line.end());
  const Tensor last = ints(lines, {3, 4, 3}), mask = greater(made(3, {4, 2}), Tensor::full({}, 0.5, DType::f64));
  std::map<std::string, golden::Run> all{
      {"index_select_0", {{x}, [=](const In& v) { return index_select(v[0], 0, row); }}},
      {"index_select_1", {{x}, [=](const In& v) { return index_select(v[0], 1, few.to(DType::i32)); }}},
      {"index_select_2",
       {{x},
        [=](const In& v) {
          return index_select(v[0], -1, ints({1, 1, 0}, {3}));
        }}},
      {"index_select_table",
       {{made(1, {3, 4})},
        [=](const In& v) {
          return index_select(v[0], 0, ints({2, 0, 1, 2}, {2, 2}));
        }}},
      {"index_add_0", {{x, made(2, {4, 4, 2})}, [=](const In& v) { return index_add(v[0], 0, row, v[1]); }}},
      {"index_add_1", {{x, made(2, {3, 3, 2})}, [=](const In& v) { return index_add(v[0], 1, few, v[1]); }}},
      {"gather_1", {{x}, [=](const In& v) { return gather(v[0], 1, middle); }}},
      {"gather_2", {{x}, [=](const In& v) { return gather(v[0], 2, last.to(DType::i32)); }}},
      {"scatter_add_1", {{x, made(2, {3, 2, 2})}, [=](const In& v) { return scatter_add(v[0], 1, middle, v[1]); }}},
      {"scatter_add_2", {{x, made(2, {3, 4, 3})}, [=](const In& v) { return scatter_add(v[0], -1, last, v[1]); }}},
      {"scatter_1", {{x, made(2, {3, 2, 2})}, [=](const In& v) { return scatter(v[0], 1, once, v[1]); }}},
      {"take",
       {{x},
        [=](const In& v) {
          return take(v[0], ints({5, 0, 23, 5, 7, 1}, {2, 3}));
        }}},
      {"masked_fill", {{x}, [=](const In& v) { return masked_fill(v[0], mask, -2.5); }}},
      {"masked_select", {{x}, [=](const In& v) { return masked_select(v[0], mask); }}},
      {"nonzero", {{x}, [=](const In& v) { return nonzero(greater(v[0], Tensor::full({}, 0.5, DType::f64))); }}},
      {"roll_1", {{x}, [=](const In& v) { return roll(v[0], {3}, {1}); }}},
      {"roll_all",
       {{x},
        [=](const In& v) {
          return roll(v[0], {1, -5, 1}, {0, 1, 2});
        }}},
      {"roll_02",
       {{x},
        [=](const In& v) {
          return roll(v[0], {-1, 1}, {0, -1});
        }}},
      {"tile",
       {{x},
        [=](const In& v) {
          return tile(v[0], {2, 1, 2, 3});
        }}},
      {"repeat", {{x}, [=](const In& v) { return repeat(v[0], 3, 1); }}},
      {"stack",
       {{made(1, {3, 2}), made(2, {3, 2})},
        [=](const In& v) {
          return stack({v[0], v[1]}, 1);
        }}},
      {"diagonal", {{square}, [=](const In& v) { return diagonal(v[0]); }}},
      {"diagonal_1", {{square}, [=](const In& v) { return diagonal(v[0], 1, 0, 2); }}},
      {"diagonal_m2", {{square}, [=](const In& v) { return diagonal(v[0], -2, 2, 1); }}},
      {"diag_embed", {{made(1, {2, 3})}, [=](const In& v) { return diag_embed(v[0]); }}},
      {"diag_embed_m1", {{made(1, {2, 3})}, [=](const In& v) { return diag_embed(v[0], -1); }}},
      {"meshgrid",
       {{made(1, {3}), made(2, {2})},
        [=](const In& v) {
          return stack(meshgrid({v[0], v[1]}), 0);
        }}},
  };
  for (int k : {-3, -1, 0, 2, 5}) {
    const std::string n = k < 0 ? "m" + std::to_string(-k) : std::to_string(k);
    all["tril_" + n] = {{square}, [=](const In& v) { return tril(v[0], k); }};
    all["triu_" + n] = {{square}, [=](const In& v) { return triu(v[0], k); }};
  }
  return all;
}

/// Small whole numbers, which every type holds (bool as 0 and 1).
Tensor numbers(const Shape& shape, DType type, std::uint64_t stream = 1) {
  Tensor t = Tensor::empty(shape, DType::i64);
  Random random(5, stream);
  auto* v = t.data<std::int64_t>();
  for (std::int64_t i = 0; i < t.numel(); ++i) v[i] = std::int64_t(random.uniform(std::uint64_t(i)) * 100);
  return t.to(type);
}

Tensor places(const Shape& shape, std::int64_t n, std::uint64_t stream = 2) {
  Tensor t = Tensor::empty(shape, DType::i64);
  Random random(5, stream);
  auto* v = t.data<std::int64_t>();
  for (std::int64_t i = 0; i < t.numel(); ++i)
    v[i] = std::min<std::int64_t>(n - 1, std::int64_t(random.uniform(std::uint64_t(i)) * double(n)));
  return t;
}

constexpr DType kTypes[] = {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i8,
                            DType::i16, DType::i32, DType::i64, DType::u8,   DType::boolean};

/// Sources into places of x in order, by plain loops: x [outer, n, inner], index [outer, picks, inner] (or [picks]).
template <class T, class F>
std::vector<T> placed(const Tensor& x, const Tensor& index, const Tensor& source, const F& put) {
  const std::int64_t n = x.size(1), inner = x.size(2), picks = source.size(1);
  std::vector<T> y(x.span<T>().begin(), x.span<T>().end());
  for (std::int64_t o = 0; o < x.size(0); ++o)
    for (std::int64_t k = 0; k < picks; ++k)
      for (std::int64_t i = 0; i < inner; ++i) {
        const std::int64_t e = (o * picks + k) * inner + i;
        put(y[std::size_t((o * n + index.data<std::int64_t>()[index.rank() == 1 ? k : e]) * inner + i)], source.data<T>()[e]);
      }
  return y;
}

/// A data error of index.out_of_range with these words.
template <class F>
void out_of_range(const F& f, const std::vector<std::string>& words) {
  try {
    f();
  } catch (const Error& e) {
    INFO(e.what());
    REQUIRE(e.kind() == ErrorKind::data);
    REQUIRE(e.code() == "index.out_of_range");
    for (const std::string& w : words) {
      INFO(w);
      REQUIRE(e.message().find(w) != std::string::npos);
    }
    return;
  }
  FAIL("an index out of range was taken");
}

}  // namespace

TEST_CASE("indexing ops and their gradients against PyTorch", "[indexing]") {
  golden::check_all(kGolden, runs());
}

TEST_CASE("elements of every type are moved as they are", "[indexing]") {
  for (DType type : kTypes) {
    INFO(name_of(type));
    const Tensor x = numbers({3, 5, 4}, type), wide = x.to(DType::f64), index = places({3, 7, 4}, 5);
    auto same = [](const Tensor& a, const Tensor& b) { CHECK(a.to_vector() == b.to_vector()); };
    const Tensor got = gather(x, 1, index);
    CHECK(got.dtype() == type);
    Values expected;
    for (std::int64_t e = 0; e < index.numel(); ++e)
      expected.push_back(wide.to_vector()[std::size_t(e / 28 * 20 + index.data<std::int64_t>()[e] * 4 + e % 4)]);
    CHECK(got.to_vector() == expected);
    same(index_select(x, 2, places({6}, 4)), index_select(wide, 2, places({6}, 4)));
    same(scatter(x, 1, index, got), scatter(wide, 1, index, got.to(DType::f64)));
    same(roll(x, {2, 1}, {1, 0}), roll(wide, {2, 1}, {1, 0}));
    same(tril(x, 1), tril(wide, 1));
    same(tile(x, {2, 2}), tile(wide, {2, 2}));
    same(masked_select(x, x.to(DType::boolean)), masked_select(wide, x.to(DType::boolean)));
    same(masked_fill(x, x.to(DType::boolean), 1), masked_fill(wide, x.to(DType::boolean), 1));
    same(diag_embed(x, 2), diag_embed(wide, 2));
    same(nonzero(x), nonzero(wide));
  }
}

TEST_CASE("complex elements are picked, placed and added whole, and so are their gradients", "[indexing][complex]") {
  for (DType type : {DType::c64, DType::c128}) {
    INFO(name_of(type));
    const DType part = type == DType::c64 ? DType::f32 : DType::f64;
    const auto pair = [&](const Shape& shape, std::uint64_t stream) {
      return complex(numbers(shape, part, stream), numbers(shape, part, stream + 1));
    };
    const Tensor x = pair({3, 5, 4}, 1), source = pair({3, 7, 4}, 3), rows = places({7}, 5), index = places({3, 7, 4}, 5);
    // What op does to complex numbers it does to their parts.
    const auto by_parts = [&](const auto& op) {
      const Tensor y = op(x, source);
      REQUIRE(y.dtype() == type);
      CHECK(real(y).to_vector() == op(real(x), real(source)).to_vector());
      CHECK(imag(y).to_vector() == op(imag(x), imag(source)).to_vector());
      const Tensor weights = numbers(y.shape(), part, 9);
      std::vector<Tensor> whole, parts;
      for (bool complex_leaves : {true, false}) {
        Tensor a = x.clone(), b = source.clone(), loss;
        if (!complex_leaves) a = real(a).clone(), b = real(b).clone();
        a.set_requires_grad();
        b.set_requires_grad();
        const Tensor out = op(a, b);
        sum((complex_leaves ? real(out) : out) * weights).backward();
        for (const Tensor& t : {a, b}) (complex_leaves ? whole : parts).push_back(t.grad());
      }
      for (std::size_t i = 0; i < whole.size(); ++i) {
        REQUIRE(whole[i].defined() == parts[i].defined());
        if (whole[i].defined()) CHECK(real(whole[i]).to_vector() == parts[i].to_vector());
      }
    };
    by_parts([&](const Tensor& a, const Tensor&) { return index_select(a, 1, rows); });
    by_parts([&](const Tensor& a, const Tensor&) { return gather(a, 1, index); });
    by_parts([&](const Tensor& a, const Tensor& b) { return scatter(a, 1, index, b); });
    by_parts([&](const Tensor& a, const Tensor& b) { return scatter_add(a, 1, index, b); });
    by_parts([&](const Tensor& a, const Tensor& b) { return index_add(a, 1, rows, b); });
    by_parts([&](const Tensor& a, const Tensor&) { return take(a, index); });
  }
}

TEST_CASE("rows of every length are picked whole", "[indexing]") {
  for (std::int64_t inner : {1, 2, 3, 4, 8, 16, 32, 33, 300}) {
    const Tensor x = numbers({2, 9, inner}, DType::f32), index = places({40}, 9);
    const Tensor y = index_select(x, 1, index);
    for (std::int64_t o = 0; o < 2; ++o)
      for (std::int64_t k = 0; k < 40; ++k)
        for (std::int64_t i = 0; i < inner; ++i)
          REQUIRE(y.data<float>()[(o * 40 + k) * inner + i] == x.data<float>()[(o * 9 + index.data<std::int64_t>()[k]) * inner + i]);
  }
}

TEST_CASE("sources meet in one place in their order, however the work is cut", "[indexing]") {
  struct Restore {
    int threads = thread_count();
    ~Restore() { set_thread_count(threads); }
  } restore;
  // one line short and long, rows of one tensor, many rows, many columns
  for (auto [outer, n, picks, inner] : {std::array<std::int64_t, 4>{1, 300, 5000, 1},
                                        {1, 100000, 40000, 1},
                                        {40, 30, 100, 1},
                                        {1500, 8, 1, 1},
                                        {701, 5, 3, 1},
                                        {1, 50, 600, 40},
                                        {1, 3000, 4000, 20},
                                        {2, 7, 11, 300}}) {
    const Tensor x = random_normal({outer, n, inner}, 1, 1), source = random_normal({outer, picks, inner}, 1, 2);
    const Tensor index = places({outer, picks, inner}, n), rows = places({picks}, n);
    auto add = [](float& place, float v) { place += v; };
    auto assign = [](float& place, float v) { place = v; };
    for (int threads : {1, 2, 4}) {
      set_thread_count(threads);
      INFO(outer << " x " << n << " x " << inner << ", " << picks << " picks, " << threads << " threads");
      auto is = [](const Tensor& y, const std::vector<float>& expected) {
        REQUIRE(std::memcmp(y.data<float>(), expected.data(), y.nbytes()) == 0);
      };
      is(scatter_add(x, 1, index, source), placed<float>(x, index, source, add));
      is(scatter(x, 1, index, source), placed<float>(x, index, source, assign));
      is(index_add(x, 1, rows, source), placed<float>(x, rows, source, add));
    }
    const Tensor y = gather(x, 1, index);
    for (std::int64_t e = 0; e < y.numel(); ++e)
      if (y.data<float>()[e] != x.data<float>()[(e / inner / picks * n + index.data<std::int64_t>()[e]) * inner + e % inner])
        FAIL("element " << e << " of a gather");
  }
}

TEST_CASE("many short rows are added to past the caches", "[indexing]") {
  const std::int64_t rows = 1025, n = 4093;
  const Tensor x = Tensor::arange(rows * n).reshape({rows, n}), index = Tensor::arange(3 * rows).reshape({rows, 3}).narrow(1, 0, 1);
  const Tensor y = scatter_add(x, 1, index, Tensor::full({rows, 1}, 5, DType::i64));
  const std::int64_t* v = y.data<std::int64_t>();
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < rows * n; ++i) wrong += v[i] != i + (i % n == 3 * (i / n) ? 5 : 0);
  CHECK(wrong == 0);
}

TEST_CASE("an index out of range among short rows is named with its place", "[indexing]") {
  std::vector<std::int64_t> at(3000, 1);
  at[1501] = 4;
  const Tensor index = Tensor::from(at, {1500, 2}), x = Tensor::zeros({1500, 4});
  out_of_range([&] { scatter_add(x, 1, index, Tensor::zeros({1500, 2})); }, {"scatter_add", "index 4", "[750, 1]", "0..3"});
}

TEST_CASE("sums of narrow types are carried wide", "[indexing]") {
  // 2049 ones: f16 stops at 2048, bf16 at 256
  const Tensor zero = Tensor::zeros({2}, DType::f16), ones = Tensor::full({2049}, 1, DType::f16), index = Tensor::zeros({2049}, DType::i64);
  CHECK(scatter_add(zero, 0, index, ones).to_vector()[0] == 2048);  // 2049 rounded to f16
  CHECK(index_add(Tensor::zeros({2}, DType::bf16), 0, index, Tensor::full({2049}, 1, DType::bf16)).to_vector()[0] == 2048);
  CHECK(scatter_add(Tensor::zeros({2}, DType::u8), 0, index, Tensor::full({2049}, 1, DType::u8)).to_vector()[0] ==
        1);  // wraps once, at the end
  CHECK(index_add(Tensor::zeros({1}, DType::i64), 0, Tensor::zeros({2}, DType::i64), Tensor::full({2}, 3, DType::i64)).item() == 6);
}

TEST_CASE("only the source that stays gets a gradient", "[indexing]") {
  Tensor x = Tensor::zeros({3}, DType::f64), source = made(1, {4});
  x.set_requires_grad();
  source.set_requires_grad();
  sum(scatter(x, 0, ints({1, 1, 2, 1}, {4}), source) * Tensor::from(Values{5, 6, 7}, {3})).backward();
  CHECK(x.grad().to_vector() == Values{5, 0, 0});
  CHECK(source.grad().to_vector() == Values{0, 0, 7, 6});
}

TEST_CASE("an index out of range is named with its value and place", "[indexing]") {
  const Tensor x = made(1, {2, 3});
  out_of_range([&] { gather(x, 1, ints({0, 1, 2, 3}, {2, 2})); }, {"gather", "index 3", "[1, 1]", "0..2"});
  out_of_range([&] { gather(x, 1, ints({0, -1, 2, 1}, {2, 2})); }, {"gather", "index -1", "[0, 1]"});
  out_of_range([&] { index_select(x, 0, ints({0, 2, 5}, {3})); }, {"index_select", "index 2", "[1]", "0..1"});
  out_of_range([&] { index_select(Tensor::zeros({2, 0}), 0, ints({0, 2}, {2})); }, {"index_select", "index 2"});
  out_of_range([&] { index_add(x, 1, ints({0, 7}, {2}), made(2, {2, 2})); }, {"index_add", "index 7", "[1]"});
  out_of_range([&] { scatter(x, 0, ints({0, 1, 2}, {1, 3}), made(2, {1, 3})); }, {"scatter", "index 2", "[0, 2]"});
  out_of_range([&] { scatter_add(x, 0, ints({0, -9, 2}, {1, 3}), made(2, {1, 3})); }, {"scatter_add", "index -9", "[0, 1]"});
  out_of_range([&] { take(x, ints({5, 6}, {2, 1})); }, {"take", "index 6", "[1, 0]", "0..5"});
  // of many, the first, for any number of threads
  Tensor many = places({20000}, 3);
  many.data<std::int64_t>()[11111] = 4;
  many.data<std::int64_t>()[19999] = 5;
  out_of_range([&] { gather(made(1, {3}), 0, many); }, {"index 4", "[11111]"});
}

TEST_CASE("indexing ops refuse what does not fit", "[indexing]") {
  using check::refuses;
  const Tensor x = made(1, {2, 3}), index = ints({0, 1}, {2}), mask = Tensor::zeros({2, 3}, DType::boolean);
  refuses([&] { index_select(x, 2, index); }, "index_select", {"axis 2", "[2, 3]"});
  refuses([&] { index_select(x, 0, index.to(DType::f32)); }, "index_select", {"f32[2]", "i64"});
  refuses([&] { index_select({}, 0, index); }, "index_select", {"undefined"});
  refuses([&] { gather(x, 0, index); }, "gather", {"i64[2]", "[2, 3]"});
  refuses([&] { gather(x, 0, {}); }, "gather", {"undefined"});
  refuses([&] { scatter(x, 1, ints({0, 1}, {2, 1}), made(1, {2, 2})); }, "scatter", {"[2, 2]", "f64[2, 1]"});
  refuses([&] { scatter_add(x, 1, ints({0, 1}, {2, 1}), made(1, {2, 1}).to(DType::f32)); }, "scatter_add", {"f32[2, 1]"});
  refuses([&] { index_add(x, 1, index, made(1, {2, 3})); }, "index_add", {"f64[2, 2]"});
  refuses([&] { index_add(mask, 1, index, Tensor::zeros({2, 2}, DType::boolean)); }, "index_add", {"bool", "cannot be added"});
  refuses([&] { take(x, index.to(DType::u8)); }, "take", {"u8[2]"});
  refuses([&] { masked_fill(x, x, 1); }, "masked_fill", {"not bool"});
  refuses([&] { masked_fill(made(1, {3}), mask, 1); }, "masked_fill", {"more elements"});
  refuses([&] { masked_fill(x.to(DType::u8), mask, 256); }, "masked_fill", {"256", "u8"});
  refuses([&] { masked_fill(x.to(DType::i64), mask, 0.5); }, "masked_fill", {"0.5", "i64"});
  refuses([&] { masked_fill(x.to(DType::i32), mask, std::nan("")); }, "masked_fill", {"nan", "i32"});
  refuses([&] { masked_select(x, Tensor::zeros({3, 3}, DType::boolean)); }, "masked_select", {"[2, 3]", "[3, 3]"});
  refuses([&] { roll(x, {1, 2}, {0}); }, "roll", {"2 shifts", "1 axes"});
  refuses([&] { roll(x, {1}, {-3}); }, "roll", {"axis -3"});
  refuses([&] { tile(x, {-1}); }, "tile", {"-1 copies"});
  refuses([&] { repeat(x, -2, 0); }, "repeat", {"-2 copies"});
  refuses([&] { stack({}, 0); }, "stack", {"no tensors"});
  refuses([&] { stack({x, index}, 0); }, "stack", {"i64[2]"});
  refuses([&] { stack({x}, 4); }, "stack", {"axis 4"});
  refuses([&] { tril(made(1, {3})); }, "tril", {"no matrices"});
  refuses([&] { triu({}); }, "triu", {"undefined"});
  refuses([&] { diagonal(x, 0, 1, -1); }, "diagonal", {"are one"});
  refuses([&] { diagonal(made(1, {3})); }, "diagonal", {"two axes"});
  refuses([&] { diag_embed(made(1, {})); }, "diag_embed", {"[]"});
  refuses([&] { meshgrid({x}); }, "meshgrid", {"not a line"});
}

TEST_CASE("empty tensors and empty indices", "[indexing]") {
  const Tensor x = made(1, {2, 3}), none = Tensor::empty({0}, DType::i64);
  CHECK(index_select(x, 1, none).shape() == Shape{2, 0});
  CHECK(gather(x, 1, Tensor::empty({2, 0}, DType::i64)).shape() == Shape{2, 0});
  CHECK(scatter_add(x, 1, Tensor::empty({2, 0}, DType::i64), Tensor::empty({2, 0}, DType::f64)).to_vector() == x.to_vector());
  CHECK(nonzero(Tensor::zeros({3, 2})).shape() == Shape{0, 2});
  CHECK(nonzero(Tensor::full({}, 2)).shape() == Shape{1, 0});
  CHECK(masked_select(Tensor::empty({0}), Tensor::empty({0}, DType::boolean)).shape() == Shape{0});
  CHECK(tile(x, {0, 1}).shape() == Shape{0, 3});
  CHECK(diagonal(x, 9).shape() == Shape{0});
  CHECK(roll(Tensor::empty({0, 2}), {3}, {0}).shape() == Shape{0, 2});
  CHECK(tril(Tensor::empty({0, 2})).shape() == Shape{0, 2});
}

TEST_CASE("masks longer than a block", "[indexing]") {
  const std::int64_t n = 200003;
  Tensor x = random_normal({n}, 3, 1), mask = greater(x, Tensor::full({}, 1.5));
  Values expected_values;
  Values expected_places;
  for (std::int64_t i = 0; i < n; ++i)
    if (x.data<float>()[i] > 1.5f) {
      expected_values.push_back(double(x.data<float>()[i]));
      expected_places.push_back(double(i));
    }
  CHECK(masked_select(x, mask).to_vector() == expected_values);
  CHECK(nonzero(mask).to_vector() == expected_places);
}

TEST_CASE("bytes other than 0 and 1 of wrapped memory are one true element each", "[indexing]") {
  std::vector<std::uint8_t> bytes{0, 2, 0, 255, 128, 0, 0, 1, 3, 0, 127};
  const Shape shape{std::int64_t(bytes.size())};
  const Tensor mask = Tensor::wrap(bytes.data(), shape, DType::boolean, {});
  CHECK(nonzero(mask).to_vector() == Values{1, 3, 4, 7, 8, 10});
  CHECK(masked_select(Tensor::arange(11, DType::f32), mask).to_vector() == Values{1, 3, 4, 7, 8, 10});
}

TEST_CASE("a recorded step places by the indices of each run, and checks them", "[indexing][plan]") {
  Tensor x = made(1, {3}), index = ints({0, 2}, {2}), y;
  StepPlan plan = StepPlan::record([&] { y = scatter_add(x, 0, index, gather(x, 0, index)); });
  plan.run();
  Values v = x.to_vector();
  CHECK(y.to_vector() == Values{v[0] + v[0], v[1], v[2] + v[2]});
  index.assign(ints({1, 1}, {2}));
  plan.run();
  CHECK(y.to_vector() == Values{v[0], v[1] + v[1] + v[1], v[2]});
  index.assign(ints({1, 3}, {2}));
  out_of_range([&] { plan.run(); }, {"index 3", "[1]"});
  check::refuses([&] { StepPlan::record([&] { nonzero(x); }); }, "nonzero", {"recorded"});
  check::refuses([&] { StepPlan::record([&] { masked_select(x, greater(x, x)); }); }, "masked_select", {"recorded"});
}

TEST_CASE("an axis of no length beside the indexed one gives an empty result", "[indexing]") {
  const Tensor none = Tensor::zeros({0, 4}), index = Tensor::zeros({0, 2}, DType::i64);
  CHECK(scatter_add(none, 1, index, Tensor::zeros({0, 2})).shape() == Shape{0, 4});
  CHECK(scatter(none, 1, index, Tensor::zeros({0, 2})).shape() == Shape{0, 4});
  CHECK(index_add(none, 1, Tensor::zeros({2}, DType::i64), Tensor::zeros({0, 2})).shape() == Shape{0, 4});
  Tensor x = Tensor::zeros({0, 4});
  x.set_requires_grad();
  const auto empty_gradient = [&](const Tensor& y) { return gradients({sum(y)}, {x})[0].shape() == Shape{0, 4}; };
  CHECK(empty_gradient(gather(x, 1, index)));
  CHECK(empty_gradient(index_select(x, 1, Tensor::zeros({3}, DType::i64))));
  CHECK(empty_gradient(sort(x, 1).values));
  CHECK(empty_gradient(topk(x, 2, 1).values));
  CHECK(empty_gradient(cummax(x, 1).values));
}

TEST_CASE("copies and diagonals that do not fit 63 bits are refused by the op's name", "[indexing][misuse]") {
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max(), half = std::int64_t(1) << 62;
  const Tensor x = made(1, {4});
  check::refuses([&] { repeat(x, half, 0); }, "repeat", {"does not fit"});
  check::refuses([&] { repeat(x, std::int64_t(1) << 61, 0); }, "repeat", {"does not fit"});
  check::refuses([&] { tile(x, {half}); }, "tile", {"does not fit"});
  check::refuses([&] { tile(x, {1, 1, 1, 1, 1, 1, 1, 1, 2}); }, "tile", {"9 counts"});
  for (std::int64_t offset : {huge, -huge, std::numeric_limits<std::int64_t>::min()}) {
    check::refuses([&] { diag_embed(x, offset); }, "diag_embed", {"does not fit"});
    CHECK(diagonal(made(1, {3, 3}), offset).shape() == Shape{0});
  }
  check::refuses([&] { stack(std::vector<Tensor>(2, Tensor::zeros({1, 1, 1, 1, 1, 1, 1, 1})), 0); }, "stack", {"no room"});
}

TEST_CASE("masks of complex numbers", "[indexing][complex]") {
  const Tensor z = tenon::complex(made(1, {3}), made(2, {3})), mask = greater(made(3, {3}), Tensor::full({}, 10, DType::f64)), all = equal(mask, mask);
  CHECK(view_as_real(masked_fill(z, mask, 2)).to_vector() == view_as_real(z).to_vector());
  CHECK(view_as_real(masked_fill(z, all, 2)).to_vector() == Values{2, 0, 2, 0, 2, 0});
  check::refuses([&] { nonzero(z); }, "nonzero", {"c128[3]"});
}

#include "backend/cuda/library/product_record.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <set>

using namespace tenon;
using namespace tenon::cuda;

TEST_CASE("a chosen algorithm is the same after being written and read", "[product_record]") {
  const AlgorithmBytes a{0, 1, 0x0123456789abcdef, ~std::uint64_t(0), 5, 6, 7, 0x8000000000000000}, b{9, 8, 7, 6, 5, 4, 3, 2};
  for (const ProductRecord& r : {ProductRecord{a, b}, ProductRecord{b, a}, ProductRecord{a, a}}) {
    const auto back = read_record(written(r));
    REQUIRE(back);
    CHECK(back->first == r.first);
    CHECK(back->chosen == r.chosen);
  }
  CHECK(written({a, a}) ==
        "000000000000000000000000000000010123456789abcdefffffffffffffffff0000000000000005000000000000000600000000000000078000000000000000");
}

TEST_CASE("what is no record of an algorithm is not read as one", "[product_record]") {
  const std::string good = written({AlgorithmBytes{1, 2, 3}, AlgorithmBytes{4, 5, 6}});
  REQUIRE(read_record(good));
  for (std::size_t n = 0; n < good.size(); ++n)
    if (n != 128) CHECK_FALSE(read_record(good.substr(0, n)));
  for (char c : {' ', '-', '+', 'x', 'g', '\t', '\0'}) {
    std::string bad = good;
    bad[17] = c;
    CHECK_FALSE(read_record(bad));
  }
  CHECK_FALSE(read_record(good + "0"));
  CHECK_FALSE(read_record(good + " " + good));
  CHECK_FALSE(read_record("0x" + good.substr(2)));
}

TEST_CASE("all that the choice of an algorithm depends on is in its key", "[product_record]") {
  const auto base = [] {
    ProductShape s;
    s.m = 2, s.n = 3, s.k = 4, s.a_row = 4, s.a_col = 1, s.b_row = 3, s.b_col = 1;
    s.count = 5, s.a_step = 8, s.b_step = 12, s.c_step = 6;
    return s;
  };
  std::set<std::string> keys{product_key(base(), false, false, 64)};
  const std::function<void(ProductShape&)> changes[] = {
      [](ProductShape& s) { s.in = DType::bf16; }, [](ProductShape& s) { s.in = DType::f16; }, [](ProductShape& s) { s.out = DType::bf16; },
      [](ProductShape& s) { ++s.m; },              [](ProductShape& s) { ++s.n; },             [](ProductShape& s) { ++s.k; },
      [](ProductShape& s) { ++s.a_row; },          [](ProductShape& s) { ++s.a_col; },         [](ProductShape& s) { ++s.b_row; },
      [](ProductShape& s) { ++s.b_col; },          [](ProductShape& s) { ++s.count; },         [](ProductShape& s) { ++s.a_step; },
      [](ProductShape& s) { ++s.b_step; },         [](ProductShape& s) { ++s.c_step; },        [](ProductShape& s) { s.bias = true; },
      [](ProductShape& s) { s.add = true; },       [](ProductShape& s) { s.sums = true; },           [](ProductShape& s) { s.auxiliary = true; },
      [](ProductShape& s) { s.epilogue = Epilogue::relu; },      [](ProductShape& s) { s.epilogue = Epilogue::relu_gradient; },
      [](ProductShape& s) { s.epilogue = Epilogue::gelu_tanh; }, [](ProductShape& s) { s.epilogue = Epilogue::gelu_tanh_gradient; }};
  for (const auto& change : changes) {
    ProductShape s = base();
    change(s);
    CHECK(s != base());
    CHECK(keys.insert(product_key(s, false, false, 64)).second);
  }
  ProductShape bias = base();
  bias.bias = true;
  CHECK(keys.insert(product_key(bias, false, true, 64)).second);
  CHECK(keys.insert(product_key(base(), true, false, 64)).second);
  CHECK(keys.insert(product_key(base(), false, false, 32)).second);
}

TEST_CASE("keys of products without an epilogue are what they were", "[product_record]") {
  ProductShape s;
  s.m = 2, s.n = 3, s.k = 4, s.a_row = 4, s.a_col = 1, s.b_row = 3, s.b_col = 1;
  CHECK(product_key(s, false, false, 64) == "f32 f32 2 3 4 4 1 3 1 1 0 0 0 64");
  s.bias = true;
  CHECK(product_key(s, true, true, 64) == "f32 f32 2 3 4 4 1 3 1 1 0 0 0 64 bias tf32");
}

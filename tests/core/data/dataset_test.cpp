#include <catch2/catch.hpp>

#include "core/data/numbers.hpp"
#include "tenon/data/collate.hpp"
#include "tenon/error.hpp"

using namespace data_test;
using Catch::Contains;

TEST_CASE("data sets give items by index, mapped, joined and chosen", "[data]") {
  const DatasetPtr ten = numbers(10);
  CHECK(ten->size() == 10);
  CHECK(ten->get(3)["x"].to_vector() == std::vector<double>{3, 3.5});
  CHECK(ten->get(3)["y"].shape() == Shape{});

  const auto doubled = std::make_shared<MapDataset>(ten, [](const Sample& s) {
    Sample out = s;
    out.set("x", s["x"] * 2.0);
    return out;
  });
  CHECK(doubled->get(4)["x"].to_vector() == std::vector<double>{8, 9});
  CHECK(ten->get(4)["x"].to_vector() == std::vector<double>{4, 4.5});

  const ConcatDataset joined({numbers(2), numbers(1), doubled});
  CHECK(joined.size() == 13);
  const std::vector<double> firsts{0, 1, 0, 0, 2, 4};
  for (std::int64_t i = 0; i < 6; ++i) CHECK(joined.get(i)["x"].to_vector()[0] == firsts[std::size_t(i)]);
  CHECK(joined.get(12)["x"].to_vector()[0] == 18);

  const Subset some(ten, {7, 2, 7});
  CHECK(some.size() == 3);
  CHECK(some.get(2)["y"].item() == 7);
  CHECK(some.get(1)["y"].item() == 2);
}

TEST_CASE("data sets say what is wrong", "[data][misuse]") {
  CHECK_THROWS_WITH(numbers(3)->get(3), Contains("item 3 of a data set of 3"));
  CHECK_THROWS_WITH(numbers(3)->get(-1), Contains("item -1"));
  CHECK_THROWS_WITH(numbers(3)->get(0)["z"], Contains("no tensor 'z'"));
  CHECK_THROWS_WITH(Sample({{"a", Tensor()}, {"a", Tensor()}}), Contains("'a' stands twice"));
  CHECK_THROWS_WITH(TensorDataset(Sample{{"a", Tensor::zeros({3})}, {"b", Tensor::zeros({4, 2})}}),
                    Contains("f32[4, 2]") && Contains("f32[3]"));
  CHECK_THROWS_WITH(TensorDataset(Sample{{"a", Tensor::zeros({})}}), Contains("no first axis"));
  CHECK_THROWS_WITH(Subset(numbers(3), {0, 5}), Contains("item 5 of a data set of 3"));
  CHECK_THROWS_WITH(MapDataset(nullptr, [](const Sample& s) { return s; }), Contains("no data set"));
  CHECK_THROWS_WITH(ConcatDataset({}), Contains("no data sets"));
}

TEST_CASE("collate stacks, and pads to the longest with the stated value", "[data]") {
  const Sample batch = collate({numbers(5)->get(4), numbers(5)->get(1)});
  CHECK(batch["x"].shape() == Shape{2, 2});
  CHECK(batch["x"].to_vector() == std::vector<double>{4, 4.5, 1, 1.5});
  CHECK(batch["y"].dtype() == DType::i64);

  const Ragged ragged(8);
  const Sample padded = collate({ragged.get(5), ragged.get(0), ragged.get(6)}, {.pad = {{"s", -1}}});
  CHECK(padded["s"].shape() == Shape{3, 3});
  CHECK(padded["s"].to_vector() == std::vector<double>{5, 5, -1, 0, -1, -1, 6, 6, 6});
  CHECK(padded["s_length"].to_vector() == std::vector<double>{2, 1, 3});

  CHECK_THROWS_WITH(collate({ragged.get(0), ragged.get(1)}), Contains("'s' is f32[2] cpu in sample 1 but f32[1] cpu in sample 0"));
  CHECK_THROWS_WITH(collate({ragged.get(0), numbers(1)->get(0)}), Contains("sample 1"));
  CHECK_THROWS_WITH(collate({ragged.get(0)}, {.pad = {{"t", 0}}}), Contains("no tensor 't' to pad"));
  CHECK_THROWS_WITH(collate({}), Contains("no samples"));
}

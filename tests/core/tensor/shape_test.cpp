#include <catch2/catch.hpp>

#include "tenon/error.hpp"
#include "tenon/shape.hpp"

using namespace tenon;
using Catch::Matchers::Contains;

TEST_CASE("a shape counts, indexes and prints its sizes", "[shape]") {
  Shape s{2, 3, 4};
  CHECK(s.rank() == 3);
  CHECK(s.numel() == 24);
  CHECK(s[0] == 2);
  CHECK(s[-1] == 4);
  CHECK(s.str() == "[2, 3, 4]");
  CHECK(Shape{}.numel() == 1);
  CHECK(Shape{}.str() == "[]");
  CHECK(Shape{3, 0, 5}.numel() == 0);
  CHECK(s == Shape(std::vector<std::int64_t>{2, 3, 4}));
  CHECK_FALSE(s == Shape{2, 3});
  CHECK_FALSE(s == Shape{2, 3, 5});
  for (int axis : {3, 100000000, -4}) CHECK_THROWS_WITH(s[axis], Contains("Shape: axis " + std::to_string(axis) + " is not within the 3 axes of [2, 3, 4]"));
  CHECK_THROWS_WITH(Shape{}[0], Contains("Shape: axis 0"));
}

TEST_CASE("sizes can be inserted, erased and appended", "[shape]") {
  Shape s{2, 4};
  s.insert(1, 3);
  s.push_back(5);
  s.insert(0, 1);
  CHECK(s == Shape{1, 2, 3, 4, 5});
  s.erase(0);
  s.erase(3);
  CHECK(s == Shape{2, 3, 4});
}

TEST_CASE("row-major strides", "[shape]") {
  CHECK(Shape{2, 3, 4}.contiguous_strides() == Shape{12, 4, 1});
  CHECK(Shape{}.contiguous_strides() == Shape{});
  CHECK(Shape{7}.contiguous_strides() == Shape{1});
}

TEST_CASE("broadcasting aligns trailing axes", "[shape]") {
  CHECK(Shape::broadcast({2, 3}, {3}, "op") == Shape{2, 3});
  CHECK(Shape::broadcast({3}, {2, 1}, "op") == Shape{2, 3});
  CHECK(Shape::broadcast({}, {2, 1}, "op") == Shape{2, 1});
  CHECK(Shape::broadcast({1}, {0}, "op") == Shape{0});
  CHECK(Shape::broadcast({5, 1, 4}, {1, 3, 1}, "op") == Shape{5, 3, 4});
  CHECK_THROWS_WITH(Shape::broadcast({2, 3}, {4}, "mul"), Contains("mul: shapes [2, 3] and [4] do not broadcast"));
  CHECK_THROWS_WITH(Shape::broadcast({2}, {0}, "mul"), Contains("do not broadcast"));
}

TEST_CASE("a shape refuses too many axes and too many elements", "[shape]") {
  CHECK_THROWS_WITH((Shape{1, 1, 1, 1, 1, 1, 1, 1, 1}), Contains("rank 9 is over the limit of 8"));
  Shape full{1, 1, 1, 1, 1, 1, 1, 1};
  CHECK_THROWS_WITH(full.push_back(2), Contains("over the limit"));
  const std::int64_t big = std::int64_t(1) << 32;
  CHECK_THROWS_WITH((Shape{big, big}.numel()), Contains("does not fit 63 bits"));
}

TEST_CASE("an axis of no length makes any shape empty", "[shape]") {
  const std::int64_t big = std::int64_t(1) << 62;
  CHECK(Shape{big, big, 0}.numel() == 0);
  CHECK(Shape{0, big, big}.numel() == 0);
}

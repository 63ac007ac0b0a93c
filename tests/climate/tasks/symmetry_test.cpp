#include "climate/tasks/symmetry.hpp"

#include <catch2/catch.hpp>

using namespace tenon::climate;

TEST_CASE("turns: all combinations, the identity first", "[climate][symmetry]") {
  CHECK(turns_of({}).size() == 1);
  CHECK(turns_of({"transpose"}).size() == 2);
  const auto all = turns_of({"transpose", "flip_rows", "flip_columns"});
  REQUIRE(all.size() == 8);
  CHECK((!all[0].transpose && !all[0].flip_rows && !all[0].flip_columns));
}

TEST_CASE("turns move values as they say, and back", "[climate][symmetry]") {
  // 2 x 3 with two channels
  const std::vector<float> field{0, 10, 1, 11, 2, 12, 3, 13, 4, 14, 5, 15};
  std::vector<float> out(12), back(12);
  apply_turn({.transpose = true}, field.data(), 2, 3, 2, out.data());
  CHECK(out == std::vector<float>{0, 10, 3, 13, 1, 11, 4, 14, 2, 12, 5, 15});
  apply_turn({.flip_rows = true}, field.data(), 2, 3, 2, out.data());
  CHECK(out == std::vector<float>{3, 13, 4, 14, 5, 15, 0, 10, 1, 11, 2, 12});
  apply_turn({.flip_columns = true}, field.data(), 2, 3, 2, out.data());
  CHECK(out == std::vector<float>{2, 12, 1, 11, 0, 10, 5, 15, 4, 14, 3, 13});
  apply_turn({.mirror_columns = true}, field.data(), 2, 3, 2, out.data());  // row 0 stays, 1 and 2 change places
  CHECK(out == std::vector<float>{0, 10, 2, 12, 1, 11, 3, 13, 5, 15, 4, 14});
  apply_turn({.mirror_columns = true}, field.data(), 2, 3, 2, out.data(), Boundary::neighbour);
  CHECK(out == std::vector<float>{2, 12, 2, 12, 1, 11, 5, 15, 5, 15, 4, 14});
  apply_turn({.transpose = true, .mirror_rows = true}, field.data(), 2, 3, 2, out.data());
  CHECK(out == std::vector<float>{0, 10, 3, 13, 2, 12, 5, 15, 1, 11, 4, 14});
  CHECK(turns_of({"mirror_rows", "mirror_columns"}).size() == 4);
  for (const Turn& turn : turns_of({"transpose", "flip_rows", "flip_columns", "mirror_rows", "mirror_columns"})) {
    apply_turn(turn, field.data(), 2, 3, 2, out.data());
    undo_turn(turn, out.data(), 2, 3, 2, back.data());
    CHECK(back == field);
  }
}

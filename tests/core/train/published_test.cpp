#include <catch2/catch.hpp>

#include "../io/faulty_files.hpp"
#include "tenon/task.hpp"

using namespace tenon;

namespace {

ParamValues published(std::vector<std::string> texts) {
  const ParamSpec spec{published_param()};
  ParamValues values(spec);
  values.set(spec, "published", std::move(texts), "test");
  return values;
}

}  // namespace

TEST_CASE("published figures: name, values, source", "[task]") {
  const auto list = published_baselines(published({"nnU-Net, 5-fold | 0.8975, .8807 | Isensee 2021", " a|nan|b "}), 2);
  REQUIRE(list.size() == 2);
  CHECK(list[0].name == "nnU-Net, 5-fold");
  CHECK(list[0].values == std::vector<double>{0.8975, .8807});
  CHECK(list[0].source == "Isensee 2021");
  CHECK(list[1].name == "a");
  CHECK(list[1].source == "b");
  for (const char* bad : {"name", "name | 1", "name | x | y", "name | 1, 2, 3 | y", "name | 1,, 2 | y", "name | | y"}) {
    INFO(bad);
    CHECK(code_of([&] { published_baselines(published({bad}), 2); }) == "recipe.published");
  }
}

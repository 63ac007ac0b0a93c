#include "tenon/params.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "tenon/error.hpp"

using namespace tenon;

namespace {

ParamSpec spec() {
  return {boolean_param("shuffle", true, "shuffle cases"),
          integer_param("steps", 100, "number of steps", 1, 1000),
          real_param("rate", 0.1, "learning rate", 0.0, 1.0, "1/s"),
          text_param("mode", "fast", "how", {"fast", "exact"}),
          path_param("root", "", "folder of the data", true),
          integers_param("patch", {40, 56, 40}, "patch size", 1),
          reals_param("spacing", {1, 1, 1}, "voxel size", 0.01, 100, "mm"),
          texts_param("classes", {"a"}, "names", {"a", "b", "c"})};
}

// Runs `f` and gives the error that it throws.
template <class F>
Error error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e;
  }
  FAIL("nothing was thrown");
  return Error(ErrorKind::internal, "", "");
}

}  // namespace

TEST_CASE("parameter values start as the defaults, a required one has none") {
  ParamValues v(spec());
  CHECK(v.boolean("shuffle"));
  CHECK(v.integer("steps") == 100);
  CHECK(v.real("rate") == 0.1);
  CHECK(v.text("mode") == "fast");
  CHECK(v.integers("patch") == std::vector<std::int64_t>{40, 56, 40});
  CHECK(v.reals("spacing") == std::vector<double>{1, 1, 1});
  CHECK(v.texts("classes") == std::vector<std::string>{"a"});
  CHECK_FALSE(v.given("steps"));
  CHECK_FALSE(v.has("root"));
  CHECK(error_of([&] { v.text("root"); }).code() == "param.no_value");
  v.set(spec(), "root", std::string("/data"), "r.toml:3");
  CHECK(v.text("root") == "/data");
  CHECK(v.given("root"));
}

TEST_CASE("setting a parameter checks type, range and choice, and leaves the old value when it refuses") {
  ParamValues v(spec());
  const auto fails = [&](const char* name, ParamValue value) {
    return error_of([&] { v.set(spec(), name, std::move(value), "r.toml:12"); });
  };

  Error e = fails("steps", std::int64_t{0});
  CHECK(e.kind() == ErrorKind::usage);
  CHECK(e.code() == "param.range");
  CHECK(e.where() == "r.toml:12");
  CHECK(e.message() == "parameter 'steps' is 0, out of its range");
  CHECK(e.hint() == "it may be from 1 to 1000");
  CHECK_THAT(e.what(), Catch::StartsWith("r.toml:12: "));
  CHECK(v.integer("steps") == 100);
  CHECK_FALSE(v.given("steps"));

  CHECK(fails("steps", 2.5).message() == "parameter 'steps' is 2.5, wanted is an integer");
  CHECK(fails("steps", 2.0).message() == "parameter 'steps' is 2.0, wanted is an integer");
  CHECK(fails("steps", std::string("ten")).code() == "param.type");
  CHECK(fails("shuffle", std::int64_t{1}).code() == "param.type");
  CHECK(fails("rate", 1.5).message() == "parameter 'rate' is 1.5 1/s, out of its range");
  CHECK(fails("rate", std::nan("")).code() == "param.range");
  CHECK(fails("rate", INFINITY).code() == "param.range");
  CHECK(fails("patch", std::vector<std::int64_t>{8, 0, 8}).hint() == "it may be at least 1");
  CHECK(fails("patch", std::vector<double>{8.5}).message() == "parameter 'patch' is [8.5], wanted is a list of integers");
  e = fails("mode", std::string("fsat"));
  CHECK(e.code() == "param.choice");
  CHECK(e.hint() == "did you mean 'fast'?");
  CHECK(fails("classes", std::vector<std::string>{"a", "q"}).code() == "param.choice");
  e = fails("setps", std::int64_t{5});
  CHECK(e.code() == "param.unknown");
  CHECK(e.hint() == "did you mean 'steps'?");

  v.set(spec(), "rate", std::int64_t{1}, "");  // an integer where a real is asked
  CHECK(v.real("rate") == 1.0);
  v.set(spec(), "spacing", std::vector<std::int64_t>{2, 2, 2}, "");
  CHECK(v.reals("spacing") == std::vector<double>{2, 2, 2});
  v.set(spec(), "spacing", std::vector<std::string>{}, "");  // an empty list has no type
  CHECK(v.reals("spacing").empty());
  CHECK(v.given("rate"));
}

TEST_CASE("parameters from the text of a command line") {
  ParamValues v(spec());
  const auto put = [&](const char* name, const char* text) { v.set_from_text(spec(), name, text, "--" + std::string(name)); };
  put("steps", " 7 ");
  put("rate", "1e-3");
  put("shuffle", "off");
  put("mode", "\"exact\"");
  put("patch", "[8,16, 8]");
  put("spacing", "0.5, 1, 2");
  put("classes", "[\"b\", c]");
  put("root", "/with, comma");
  CHECK(v.integer("steps") == 7);
  CHECK(v.real("rate") == 1e-3);
  CHECK_FALSE(v.boolean("shuffle"));
  CHECK(v.text("mode") == "exact");
  CHECK(v.integers("patch") == std::vector<std::int64_t>{8, 16, 8});
  CHECK(v.reals("spacing") == std::vector<double>{0.5, 1, 2});
  CHECK(v.texts("classes") == std::vector<std::string>{"b", "c"});
  CHECK(v.text("root") == "/with, comma");
  put("steps", "+8");
  CHECK(v.integer("steps") == 8);
  put("patch", "[]");
  CHECK(v.integers("patch").empty());

  for (const char* bad : {"", "7x", "0x7", "7.0", "1e2", "--7", "+-7", "99999999999999999999", "nan"}) {
    INFO(bad);
    CHECK(error_of([&] { put("steps", bad); }).code() == "param.type");
  }
  for (const char* bad : {"", "1,5", "nan", "1e999", "0.1.2"}) {
    INFO(bad);
    CHECK_THROWS_AS(put("rate", bad), Error);
  }
  for (const char* bad : {"[8,,8]", "[8,8", "8,]", "a"}) {
    INFO(bad);
    CHECK(error_of([&] { put("patch", bad); }).code() == "param.type");
  }
  CHECK(error_of([&] { put("shuffle", "maybe"); }).message() == "parameter 'shuffle' is 'maybe', wanted is true or false");
  CHECK(v.integer("steps") == 8);
}

TEST_CASE("reading a parameter as another type is a defect that is told") {
  const ParamValues v(spec());
  const Error e = error_of([&] { v.integer("mode"); });
  CHECK(e.kind() == ErrorKind::internal);
  CHECK(e.message() == "parameter 'mode' is 'fast' but was read as an integer");
  CHECK(v.real("steps") == 100.0);  // an integer is a real
  CHECK(error_of([&] { v.real("nothing"); }).code() == "param.no_value");
}

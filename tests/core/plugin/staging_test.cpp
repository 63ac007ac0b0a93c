// What entries must hold to be registered.
#include "plugin/staging.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "tenon/error.hpp"

using namespace tenon;

namespace {

/// Why an entry is refused; empty where it is taken.
std::string refused(const std::function<void(StagingRegistrar&)>& add) {
  StagingRegistrar registrar("mine");
  try {
    add(registrar);
  } catch (const Error& e) {
    CHECK(e.code() == "plugin.bad_entry");
    return e.message();
  }
  return "";
}

}  // namespace

TEST_CASE("texts of entries are one line that a terminal does not obey") {
  const auto refusal = [](const std::string& help, const std::string& arguments) {
    return refused([&](StagingRegistrar& r) { r.tool({.name = "one", .help = help, .arguments = arguments, .params = {}, .run = [](const auto&, const auto&, auto&) { return 0; }}); });
  };
  CHECK(refusal("Counts caf\xc3\xa9s", "FILE...").empty());
  for (const char* bad : {"", "two\nlines", "\x1b[2Jgone", "caf\xe9", "tab\there", "\x7f"}) CHECK_THAT(refusal(bad, ""), Catch::Contains("no help of one line"));
  for (const char* bad : {"\x1b[2J", "FILE\n", "\xff"}) CHECK_THAT(refusal("Counts", bad), Catch::Contains("arguments"));
}

TEST_CASE("a model declares f32 with or without the 16-bit types, and nothing else") {
  const auto refusal = [](const std::vector<DType>& computes) {
    return refused([&](StagingRegistrar& r) { r.model({.name = "one", .help = "A model", .params = {}, .make = [](const auto&, const auto&) { return nn::ModulePtr(); }, .computes = computes}); });
  };
  for (const std::vector<DType>& good : {std::vector{DType::f32}, {DType::f32, DType::f16}, {DType::bf16, DType::f32}}) CHECK(refusal(good).empty());
  for (const std::vector<DType>& bad : {std::vector<DType>{}, {DType::bf16}, {DType::f64}, {DType::f32, DType::f64}}) CHECK_THAT(refusal(bad), Catch::Contains("model one declares types"));
}

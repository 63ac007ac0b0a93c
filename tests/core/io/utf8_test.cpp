#include "tenon/io/utf8.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace tenon;

TEST_CASE("UTF-8 is told from what only looks like it", "[utf8]") {
  for (const char* good : {"", "plain", "caf\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\xa7\xa0", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"})
    CHECK(is_utf8(good));
  CHECK(is_utf8(std::string_view("a\0b", 3)));
  for (const char* bad : {"caf\xe9", "\xc3", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xff",
                          "\x80", "\xe2\x82"}) {
    INFO(bad);
    CHECK_FALSE(is_utf8(bad));
    CHECK_FALSE(is_utf8(std::string("before ") + bad + " after"));
  }
  CHECK(utf8_length("\xe2\x82\xac and more") == 3);
  CHECK(utf8_length("\xe2\x82") == 0);
  CHECK(utf8_length("") == 0);
}

TEST_CASE("JSON is written whatever its texts hold", "[utf8]") {
  const nlohmann::json value{{"name", "caf\xe9"}};
  CHECK_THROWS(value.dump());
  CHECK(json_text(value, -1) == "{\"name\":\"caf\xef\xbf\xbd\"}");
  CHECK(json_text(value) == "{\n  \"name\": \"caf\xef\xbf\xbd\"\n}");
}

TEST_CASE("a JSON string reads back as what was written", "[utf8]") {
  std::string all;
  for (int c = 0; c < 128; ++c) all += static_cast<char>(c);
  for (const std::string& text : {all, std::string(), std::string("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\xa7\xa0")}) CHECK(nlohmann::json::parse(json_string(text)).get<std::string>() == text);
  CHECK(json_string("caf\xe9 \xf0\x9f") == "\"caf\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\"");
}

#include "tenon/plugin_lock.hpp"

#include <catch2/catch.hpp>

#include "tenon/error.hpp"

using namespace tenon;

TEST_CASE("a lock that is read and written keeps its lines, and ends them alike") {
  const std::string a(64, 'a'), b(64, 'b'), c(64, 'c');
  PluginLockFile lock = PluginLockFile::parse("# head\r\n\r\n" + a + "  one.tenon.so\r\n" + b + " *two.tenon.so", "x.lock");
  CHECK(lock.digest("one.tenon.so") == a);
  CHECK(lock.digest("two.tenon.so") == b);
  CHECK(lock.digest("three.tenon.so").empty());
  CHECK(lock.text() == "# head\n\n" + a + "  one.tenon.so\n" + b + " *two.tenon.so\n");
  lock.set("one.tenon.so", c);
  lock.set("three.tenon.so", a);
  CHECK(lock.text() == "# head\n\n" + c + "  one.tenon.so\n" + b + " *two.tenon.so\n" + a + "  three.tenon.so\n");
  CHECK(PluginLockFile::parse(lock.text(), "x.lock").text() == lock.text());
  CHECK(PluginLockFile::parse("", "x.lock").text().empty());
}

TEST_CASE("a lock takes no name that it could not read back") {
  PluginLockFile lock;
  for (const char* name : {"a.so", "", "b/a.tenon.so", "a.tenon.so\nb.tenon.so"}) CHECK_THROWS_AS(lock.set(name, std::string(64, 'a')), Error);
  CHECK(lock.text().empty());
  CHECK_THROWS_WITH(PluginLockFile::parse("#\nx\n", "x.lock"), Catch::Contains("x.lock, line 2: "));
}

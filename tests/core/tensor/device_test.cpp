#include <catch2/catch.hpp>

#include "tenon/device.hpp"
#include "tenon/error.hpp"

using namespace tenon;
using Catch::Matchers::Contains;

TEST_CASE("device names are parsed strictly", "[device]") {
  CHECK(Device::parse("cpu") == kCpu);
  CHECK(Device::parse("cuda") == Device{DeviceType::cuda, 0});
  CHECK(Device::parse("cuda:12") == Device{DeviceType::cuda, 12});
  CHECK(Device::parse("cuda:12").str() == "cuda:12");
  for (const char* wrong : {"", "CPU", "cuda:", "cuda:-1", "cuda:1x", "cuda:1234", "gpu", "cpu:0"}) {
    INFO(wrong);
    CHECK_THROWS_WITH(Device::parse(wrong), Contains("unknown device"));
  }
}

TEST_CASE("the CPU is listed first and usable", "[device]") {
  auto all = list_devices();
  REQUIRE_FALSE(all.empty());
  CHECK(all[0].device == kCpu);
  CHECK(all[0].usable);
  CHECK(all[0].memory_bytes > 0);
  CHECK_FALSE(all[0].name.empty());
  for (const DeviceInfo& d : all) CHECK((d.usable || !d.reason.empty()));
}

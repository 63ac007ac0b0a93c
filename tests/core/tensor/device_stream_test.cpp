#include "tenon/device_stream.hpp"

#include <catch2/catch.hpp>

#include "tenon/error.hpp"

using namespace tenon;

TEST_CASE("the CPU has no stream, and a device has one once it is in use", "[device]") {
  CHECK(device_stream(DeviceType::cpu) == nullptr);
  bool usable = false;
  for (const DeviceInfo& d : list_devices()) usable |= d.device.type == DeviceType::cuda && d.usable;
  if (!usable) CHECK_THROWS_AS(device_stream(DeviceType::cuda), Error);
}

#include "cuda/device.hpp"

namespace under_test {

bool has_device() {
  static const bool has = [] {
    for (const tenon::DeviceInfo& d : tenon::list_devices())
      if (d.device == kDevice && d.usable) return true;
    return false;
  }();
  return has;
}
void begin_run(int) {}
void end_run() {}

}  // namespace under_test

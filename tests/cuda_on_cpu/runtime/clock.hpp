/// The device's clock for kernels that wait by it, which is advanced by being read.
#pragma once

inline long long clock64() {
  static long long now = 0;
  return now += 1 << 16;
}

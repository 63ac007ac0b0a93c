/// The device under test. Two programs are made of the tests of this folder: one for the GPU of the machine, one for the backend's sources
/// run on the CPU (tests/cuda_on_cpu).
#pragma once

#include "tenon/device.hpp"

namespace under_test {

/// False where the machine has none: a test then says "skipped: " and passes.
bool has_device();
inline constexpr tenon::Device kDevice{tenon::DeviceType::cuda, 0};
/// Called before a case is run for the `run`-th time. On the CPU every run takes the threads of a block in another order.
void begin_run(int run);
/// Throws where memory outside of any tensor was written.
void end_run();
inline constexpr int kRuns = 2;

}  // namespace under_test

#define TENON_NEEDS_DEVICE()                \
  if (!under_test::has_device()) {          \
    WARN("skipped: no usable CUDA device"); \
    return;                                 \
  }

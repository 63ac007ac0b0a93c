/// Kernel slot of dropout (private).
#pragma once

#include "tenon/kernel.hpp"

namespace tenon {

struct DropoutFill {
  DType dtype;
  std::int64_t count;
  double p;
  std::uint64_t stream;
};
/// x, key -> y, the key as it was
extern TENON_API KernelSlot<const DropoutFill&> dropout_kernel;

}  // namespace tenon

// The core's ranges as NVTX ranges: `nsys profile tenon train ...` shows steps and ops by name. Without a profiler each costs a test.
#include "backend/cuda/install.hpp"
#include "tensor/ranges.hpp"

#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>

namespace tenon::cuda {

void install_nvtx() {
  static constexpr RangeHooks hooks{[](const char* name) { nvtxRangePushA(name); }, [] { nvtxRangePop(); }};
  set_range_hooks(&hooks);
}

}  // namespace tenon::cuda
#else

namespace tenon::cuda {

void install_nvtx() {}  // a toolkit without its headers

}  // namespace tenon::cuda
#endif

// The device of the tests: the backend's sources, run on the CPU.
#include <cstdlib>

#include "backend/backend.hpp"
#include "core/io/temporary_folder.hpp"
#include "cuda/device.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "cuda_runtime.h"
#include "tenon/error.hpp"

extern "C" tenon::CudaBackend tenon_cuda_backend;

namespace under_test {

bool has_device() {
  static const bool installed = [] {
    static const TemporaryFolder plans("plans");  // what is measured here is this process' own affair, and that of its children
    ::setenv("TENON_PLAN_MEMORY", plans.path.c_str(), 1);
    tenon::list_devices();  // a backend that was built beside the library installs itself here: ours replaces it
    tenon_cuda_backend.install();
    return true;
  }();
  return installed;
}

void begin_run(int run) {
  using namespace tenon::cuda::on_cpu;
  set_order(run == 0 ? Order::ascending : run == 1 ? Order::descending : Order::shuffled, unsigned(run));
}

void end_run() {
  if (const std::string damage = tenon::cuda::on_cpu::damaged_guards(); !damage.empty())
    throw tenon::Error(tenon::ErrorKind::internal, "cuda_on_cpu", "device memory: " + damage);
}

}  // namespace under_test

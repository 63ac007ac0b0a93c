#include "cuda_on_cpu/runtime/device_clock.hpp"

#include <atomic>

namespace tenon::cuda {
namespace {

std::function<double(const std::string&)> of_kernel;
std::atomic<double> now{0};

}  // namespace

void on_cpu::count_time(std::function<double(const std::string&)> microseconds) { of_kernel = std::move(microseconds); }
void on_cpu::spend_on(const char* kernel, double threads) { spend(of_kernel ? of_kernel(kernel) : 2 + 1e-3 * threads); }
void on_cpu::spend(double microseconds) { now = now + microseconds; }
double on_cpu::device_time() { return now; }

}  // namespace tenon::cuda

#include "tensor/launch_watch.hpp"

#include <atomic>
#include <chrono>

#include "backend/backend.hpp"

namespace tenon {
namespace {

thread_local LaunchWatch* innermost = nullptr;
std::atomic<const RangeHooks*> hooks_of_backend{nullptr};

}  // namespace

void set_range_hooks(const RangeHooks* hooks) noexcept { hooks_of_backend.store(hooks, std::memory_order_release); }
const RangeHooks* range_hooks() noexcept { return hooks_of_backend.load(std::memory_order_acquire); }

struct LaunchWatchAccess {
  static void see(const LaunchWatch& watch, const LaunchTime& time) { watch.see_(time); }
};

double steady_seconds() noexcept { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

LaunchWatch::LaunchWatch(std::function<void(const LaunchTime&)> see) : see_(std::move(see)), before_(innermost) { innermost = this; }
LaunchWatch::~LaunchWatch() { innermost = before_; }

LaunchWatch* current_launch_watch() noexcept { return innermost; }

void run_watched(LaunchWatch& watch, const char* name, const Kernel& kernel, void* const* operands) {
  wait_for_device();
  const double start = steady_seconds();
  kernel(operands);
  wait_for_device();
  LaunchWatchAccess::see(watch, {name, start, steady_seconds() - start});
}

}  // namespace tenon

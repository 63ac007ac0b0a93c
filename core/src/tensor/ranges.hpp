/// Named ranges in the timeline of a device maker's profiler (NVTX, for Nsight Systems), where a backend gives the two calls; else they cost a test of a
/// pointer (private). Launches are ranges of their own name; a step that is replayed as one graph is one range.
#pragma once

#include "tenon/export.hpp"

namespace tenon {

struct RangeHooks {
  void (*push)(const char* name);
  void (*pop)();
};

/// Given once, when a backend is loaded; `hooks` must live as long as the process. Null takes them away.
TENON_API void set_range_hooks(const RangeHooks* hooks) noexcept;
TENON_API const RangeHooks* range_hooks() noexcept;

/// The range of a scope. `name` is copied by the profiler.
class Range {
 public:
  explicit Range(const char* name) : hooks_(range_hooks()) {
    if (hooks_) [[unlikely]] hooks_->push(name);
  }
  ~Range() {
    if (hooks_) [[unlikely]] hooks_->pop();
  }
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;

 private:
  const RangeHooks* hooks_;
};

}  // namespace tenon

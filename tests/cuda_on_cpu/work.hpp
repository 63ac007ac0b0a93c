/// Work on the first stream, as a kernel or a library enqueues it.
#pragma once

#include <functional>

namespace tenon::cuda::on_cpu {

/// `work` finds device memory open (memory.hpp). What it needs it has by value, but for device memory.
void enqueue(std::function<void()> work);

}  // namespace tenon::cuda::on_cpu

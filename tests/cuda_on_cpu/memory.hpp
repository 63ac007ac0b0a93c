/// "Device" memory: host memory between guards, filled with NaNs when it is given out and when it comes back.
#pragma once

#include <cstddef>
#include <string>

namespace tenon::cuda::on_cpu {

void* take(std::size_t bytes);
void give_back(void* at);
/// Which blocks of memory were written outside of their bounds, since the last call; empty: none.
std::string damaged_guards();
std::size_t bytes_in_use();

}  // namespace tenon::cuda::on_cpu

#include "work.hpp"

#include "memory.hpp"

namespace tenon::cuda {

void on_cpu::enqueue(std::function<void()> work) {
  const Open open;
  work();
}

}  // namespace tenon::cuda

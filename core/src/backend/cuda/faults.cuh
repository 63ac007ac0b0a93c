/// Data that a kernel refuses, such as an index out of range: noted on the device, thrown at the next copy to the host, since a kernel
/// cannot throw and nothing waits for it (private).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <cuda_runtime.h>

namespace tenon::cuda {

/// The first refused element: the one with the lowest position, whatever the order of the threads.
struct FaultRecord {
  unsigned long long at, value;
  int lock;
};

/// A kernel's argument.
struct FaultSite {
  FaultRecord* record;
  int* raised;  ///< host memory, which the device can write: set when any record is

  __device__ void raise(std::int64_t at, std::int64_t value) const {
    const auto mine = static_cast<unsigned long long>(at);
    bool done = mine >= atomicMin(&record->at, ~0ull);
    while (!done) {  // seldom: its cost does not matter
      if (atomicCAS(&record->lock, 0, 1) == 0) {
        __threadfence();  // after what the holder before did, and before what the next one does
        if (mine < atomicMin(&record->at, mine)) atomicExch(&record->value, static_cast<unsigned long long>(value));
        __threadfence();
        atomicExch(&record->lock, 0);
        done = true;
      }
    }
    *static_cast<volatile int*>(raised) = 1;
  }
};

/// Throws the error for the refused value and its position.
using Refuse = std::function<void(std::int64_t value, std::int64_t at)>;

/// Where kernels of this key note faults. Kept for the life of the process; the same key is the same site.
FaultSite fault_site(const std::string& key, Refuse refuse);

/// Throws what has been noted, if anything; all notes are wiped. The stream must have been waited for.
void throw_faults();
/// Host memory that kernels set when they raise a fault; null before any could.
const int* fault_flag();

}  // namespace tenon::cuda

/// Complex numbers that are loaded and stored as one: kernels::Complex is aligned like its parts, which makes two accesses of each
/// (private).
#pragma once

namespace tenon::cuda {

template <class T>
struct alignas(2 * sizeof(T)) Complex {
  T re, im;
};

}  // namespace tenon::cuda

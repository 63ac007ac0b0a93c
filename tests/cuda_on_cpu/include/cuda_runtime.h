/// Stands in for CUDA's own header where the backend's sources are compiled as plain C++ for the tests: kernels run on the CPU, every
/// thread of a block as a fiber, and "device" memory is host memory between guards. What a kernel may use is declared here; what it may
/// not (float atomics, textures, cooperative groups) is left out, so that it does not compile.
#pragma once

#if !defined(TENON_CUDA_ON_CPU)
#error "this header is for sources that are compiled with TENON_CUDA_ON_CPU"
#endif

#include <math.h>

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "cuda_on_cpu/words.hpp"
//
#include "cuda_on_cpu/vectors.hpp"
//
#include "cuda_on_cpu/bits.hpp"
#include "cuda_on_cpu/maths.hpp"
#include "cuda_on_cpu/memory_access.hpp"
#include "cuda_on_cpu/runtime_api.hpp"
#include "cuda_on_cpu/threads.hpp"

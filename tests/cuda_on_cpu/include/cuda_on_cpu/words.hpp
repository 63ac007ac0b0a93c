/// The words that CUDA adds to the language.
#pragma once

#define __global__
#define __device__
#define __host__
/// All thread-local variables of the test program are a block's shared ones: the scheduler finds them there and fills them before a launch.
#define __shared__ static thread_local
#define __constant__ static
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __builtin_assume(condition) ((void)0)

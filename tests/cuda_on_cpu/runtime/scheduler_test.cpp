// The stand-in for a device finds what it is there to find.
#include <catch2/catch.hpp>

#include <vector>

#include "backend/cuda/launch.cuh"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "tenon/error.hpp"

using namespace tenon::cuda;
using namespace tenon::cuda::on_cpu;
using Catch::Matchers::Contains;

namespace {

/// Given back at the end, whatever happened.
/// Open while it is there: these tests look into it.
template <class T>
struct DeviceArray {
  explicit DeviceArray(std::size_t n) : size(n), data(static_cast<T*>(take(n * sizeof(T)))) {}
  ~DeviceArray() { give_back(data); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  Open open;
  std::vector<T> values() const { return {data, data + size}; }
  std::size_t size;
  T* data;
};

struct RestoreOrder {
  ~RestoreOrder() { set_order(Order::ascending); }
};

const Order kOrders[] = {Order::ascending, Order::descending, Order::shuffled};

__global__ void block_sums(const int* x, int* y) {
  __shared__ int part[8];
  int v = x[blockIdx.x * blockDim.x + threadIdx.x];
  for (int d = 16; d > 0; d /= 2) v += __shfl_down_sync(0xffffffffu, v, unsigned(d));
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = v;
  __syncthreads();
  if (threadIdx.x >= 32) return;
  v = threadIdx.x < blockDim.x / 32 ? part[threadIdx.x] : 0;
  for (int d = 16; d > 0; d /= 2) v += __shfl_xor_sync(0xffffffffu, v, d);
  if (threadIdx.x == 0) y[blockIdx.x] = v;
}

__global__ void reversed(int* x) {
  int* s = dynamic_shared<int>();
  s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = s[blockDim.x - 1 - threadIdx.x];
}

/// The barrier between writing and reading is missing.
__global__ void racing(int* x) {
  int* s = dynamic_shared<int>();
  s[threadIdx.x] = x[threadIdx.x];
  x[threadIdx.x] = s[blockDim.x - 1 - threadIdx.x];
}

__global__ void divergent_barrier(int* x) {
  if (threadIdx.x < 20) {
    __syncthreads();
    x[0] = 1;
  } else {
    __syncthreads();
    x[1] = 1;
  }
}
__global__ void divergent_shuffle(int* x) {
  if (threadIdx.x < 20) x[threadIdx.x] = __shfl_sync(0xffffffffu, int(threadIdx.x), 0);
  __syncthreads();
}
__global__ void half_warps(unsigned* x) {
  const bool low = threadIdx.x < 16;
  const unsigned mask = low ? 0xffffu : 0xffff0000u;
  unsigned all = 0;
  for (int i = 0; i < (low ? 3 : 5); ++i) all = __ballot_sync(mask, threadIdx.x % 2 == 0);
  x[threadIdx.x] = all + __reduce_add_sync(mask, 1u);
}
__global__ void votes(int* x) {
  if (threadIdx.x % 3 == 0 && threadIdx.x > 90) return;  // those who are gone need not vote
  x[threadIdx.x] = __syncthreads_count(threadIdx.x < 10);
}
__global__ void beyond(int* x) {
  x[threadIdx.x + 1] = 1;
}
__global__ void uninitialised(float* x) {
  __shared__ float s[64];
  x[threadIdx.x] = s[threadIdx.x] + dynamic_shared<float>()[threadIdx.x];
}
__global__ void past_the_array(int* x) {
  __shared__ int s[8];
  x[1] = s[x[0]];
}
__global__ void grid_of(uint3* x) {
  if (threadIdx.x == 0 && threadIdx.y == 0 && threadIdx.z == 0)
    x[(blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] = blockIdx;
}

}  // namespace

TEST_CASE("threads of a block meet, exchange and end, in any order", "[cuda_on_cpu]") {
  RestoreOrder restore;
  for (Order order : kOrders) {
    set_order(order, 3);
    DeviceArray<int> x(4 * 256), y(4);
    for (int i = 0; i < 4 * 256; ++i) x.data[i] = i;
    start("block_sums", dim3(4), dim3(256), 0, block_sums, x.data, y.data);
    CHECK(y.values() == std::vector<int>{32640, 98176, 163712, 229248});
    start("reversed", dim3(1), dim3(256), 256 * sizeof(int), reversed, x.data);
    CHECK(x.data[0] == 255);
    CHECK(x.data[255] == 0);
    DeviceArray<unsigned> v(32);
    start("half_warps", dim3(1), dim3(32), 0, half_warps, v.data);
    CHECK(v.data[3] == 0x5555u + 16);
    CHECK(v.data[31] == 0x55550000u + 16);
    DeviceArray<int> n(100);
    start("votes", dim3(1), dim3(100), 0, votes, n.data);
    CHECK(n.data[0] == 10);
    CHECK(n.data[99] == -1);
    DeviceArray<uint3> places(2 * 3 * 4);
    start("grid_of", dim3(2, 3, 4), dim3(2, 2, 2), 0, grid_of, places.data);
    CHECK(places.data[23].x == 1);
    CHECK(places.data[23].z == 3);
  }
}

TEST_CASE("a missing barrier shows in another order", "[cuda_on_cpu]") {
  RestoreOrder restore;
  std::vector<std::vector<int>> seen;
  for (Order order : kOrders) {
    set_order(order, 3);
    DeviceArray<int> x(64);
    for (int i = 0; i < 64; ++i) x.data[i] = i;
    start("racing", dim3(1), dim3(64), 64 * sizeof(int), racing, x.data);
    seen.push_back(x.values());
  }
  CHECK(seen[0] != seen[1]);
  CHECK(seen[0] != seen[2]);
}

TEST_CASE("a barrier or exchange that not all reach is an error that names kernel and place", "[cuda_on_cpu]") {
  DeviceArray<int> x(64);
  for (int i = 0; i < 2; ++i) {  // and the next launch works again
    CHECK_THROWS_WITH(
        start("divergent_barrier", dim3(1), dim3(64), 0, divergent_barrier, x.data),
        Contains("kernel divergent_barrier") && Contains("different barriers") && Contains("20 threads at the block's barrier at"));
    CHECK_THROWS_WITH(start("divergent_shuffle", dim3(1), dim3(64), 0, divergent_shuffle, x.data),
                      Contains("kernel divergent_shuffle") && Contains("wait for each other for ever") && Contains("scheduler_test.cpp"));
    start("reversed", dim3(1), dim3(64), 256, reversed, x.data);
  }
}

TEST_CASE("writes outside of a block of memory are found", "[cuda_on_cpu]") {
  DeviceArray<int> x(64);
  CHECK_THROWS_WITH(start("beyond", dim3(1), dim3(64), 0, beyond, x.data),
                    Contains("kernel beyond") && Contains("written behind a block of 256 bytes"));
  CHECK(damaged_guards().empty());
}

TEST_CASE("an index past a shared array is found", "[cuda_on_cpu]") {
  DeviceArray<int> x(2);
  x.data[0] = 8;
  CHECK_THROWS_WITH(start("past_the_array", dim3(1), dim3(1), 0, past_the_array, x.data),
                    Contains("kernel past_the_array: undefined behaviour"));
}

TEST_CASE("memory that was not written holds NaNs", "[cuda_on_cpu]") {
  DeviceArray<float> x(64);
  CHECK(x.data[63] != x.data[63]);
  for (int i = 0; i < 64; ++i) x.data[i] = 0;
  start("uninitialised", dim3(1), dim3(64), 64 * sizeof(float), uninitialised, x.data);
  for (float v : x.values()) CHECK(v != v);
}

TEST_CASE("grids and blocks are held to a device's limits", "[cuda_on_cpu]") {
  DeviceArray<int> x(64);
  CHECK_THROWS_WITH(start("reversed", dim3(0), dim3(64), 256, reversed, x.data), Contains("grid of (0, 1, 1) blocks"));
  CHECK_THROWS_WITH(start("reversed", dim3(1, 70000), dim3(64), 256, reversed, x.data), Contains("grid of (1, 70000, 1) blocks"));
  CHECK_THROWS_WITH(start("reversed", dim3(1), dim3(64, 17), 256, reversed, x.data), Contains("block of (64, 17, 1) threads"));
  CHECK_THROWS_WITH(start("reversed", dim3(1), dim3(64), 300000, reversed, x.data), Contains("300000 bytes of shared memory"));
}

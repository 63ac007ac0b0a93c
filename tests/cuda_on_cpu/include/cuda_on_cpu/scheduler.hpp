/// Runs grids on one CPU thread: each thread of a block is a fiber, and blocks run one after the other.
///
/// A thread runs until it must wait, at a barrier of its block or at an operation of its warp; then another one runs. A barrier that
/// threads which have not ended do not all reach is an error that names the kernel and where its threads wait. Shared memory is
/// filled with NaNs before it is used, grids and blocks are held to the limits of a device of compute capability 9.0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "cuda_on_cpu/vectors.hpp"

namespace tenon::cuda::on_cpu {

/// In which order the threads of a block, and the blocks of a grid, get their turn. A kernel without a race gives the same bytes in any.
enum class Order { ascending, descending, shuffled };
void set_order(Order order, unsigned seed = 1);

void enqueue(std::function<void()> work);  ///< work.hpp
void run_grid(const char* name, dim3 blocks, dim3 threads, std::size_t shared_bytes, void (*body)(const void*), const void* given);
/// TENON_KERNELS_RAN names a file: it is told what kernels run, by module and place there, for kernels_ran.sh.
void note_run(const void* kernel);
/// A kernel is enqueued: `body()` for every thread.
template <class Body>
void enqueue_grid(const char* name, const void* kernel, dim3 blocks, dim3 threads, std::size_t shared_bytes, const Body& body) {
  enqueue([=] {
    note_run(kernel);
    run_grid(name, blocks, threads, shared_bytes, [](const void* b) { (*static_cast<const Body*>(b))(); }, &body);
  });
}
/// The dynamic shared memory of the block that runs now.
void* block_memory();

struct Place {
  const char* file;
  int line;
};
enum class WarpOp { sync, shuffle, ballot, match, add, least, greatest, bit_and, bit_or, bit_xor, together };

/// Waits until every thread of the block that has not ended is here; how many gave a `vote`.
int wait_for_block(bool vote, Place place);
/// Waits until every lane of `mask` that has not ended is here with the same operation and mask, and gives this lane's result. A shuffle
/// from a lane that is not among them gives all ones: a NaN.
std::uint64_t wait_for_warp(WarpOp op, unsigned mask, std::uint64_t value, int source, Place place);
/// Waits until all 32 lanes are here, none of which has ended; then `all` is called once with what each of them gave, and may write there.
void do_together(void* given, void (*all)(void* const* lanes), Place place);
int lane();
unsigned live_lanes();

/// Copies to shared memory under way: made as late as may be, when the thread that asked for them waits for their group. Source and destination are read and
/// written then; a thread that ends with copies under way is told.
void copy_later(void* to, const void* from, std::size_t read, std::size_t bytes);  ///< the rest of `bytes` is filled with zeros
void close_copies();
void await_copies(std::size_t groups_left);

}  // namespace tenon::cuda::on_cpu

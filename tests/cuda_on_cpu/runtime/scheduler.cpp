#include "cuda_on_cpu/scheduler.hpp"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <boost/context/fiber.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cuda_on_cpu/runtime/device_clock.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "cuda_on_cpu/runtime/reports.hpp"
#include "cuda_on_cpu/threads.hpp"
#include "tenon/error.hpp"

uint3 threadIdx{}, blockIdx{};
dim3 blockDim, gridDim;

namespace tenon::cuda::on_cpu {
namespace {

using boost::context::fiber;

constexpr std::size_t kStackBytes = 128 * 1024;
constexpr int kNan = 0xff;  // this byte everywhere makes a NaN of every floating type

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorKind::internal, "cuda_on_cpu", what);
}

/// Runs threads until one must wait, then that one alone until it ends, then further ones.
struct Worker {
  fiber work, scheduler;
};

/// To shared memory, under way.
struct Copy {
  void* to;
  const void* from;
  std::size_t read, bytes;
};

enum class State { unstarted, ready, waits_for_block, waits_for_warp, ended };

struct Thread {
  State state = State::unstarted;
  Worker* worker = nullptr;
  Place place{};
  WarpOp op{};
  unsigned mask = 0;
  int source = 0, votes = 0;
  bool vote = false;
  std::uint64_t value = 0, result = 0;
  void* given = nullptr;
  void (*all)(void* const*) = nullptr;
  std::vector<Copy> open_copies;                ///< of no group yet
  std::deque<std::vector<Copy>> closed_copies;  ///< groups, oldest first
};

std::uint64_t folded(WarpOp op, std::uint64_t x, std::uint64_t y) {
  switch (op) {
    case WarpOp::add:
      return x + y;
    case WarpOp::least:
      return std::uint64_t(std::min(std::int64_t(x), std::int64_t(y)));
    case WarpOp::greatest:
      return std::uint64_t(std::max(std::int64_t(x), std::int64_t(y)));
    case WarpOp::bit_and:
      return x & y;
    case WarpOp::bit_or:
      return x | y;
    default:
      return x ^ y;
  }
}

class Scheduler {
 public:
  Order order = Order::ascending;
  unsigned seed = 1;
  std::vector<unsigned char> shared;

  void run(const char* name, dim3 blocks, dim3 threads, std::size_t shared_bytes, void (*body)(const void*), const void* given) {
    name_ = name;
    body_ = body;
    given_ = given;
    check_limits(blocks, threads, shared_bytes);
    blockDim = threads;
    gridDim = blocks;
    size_ = int(threads.x * threads.y * threads.z);
    lay_shared_memory(shared_bytes);
    const Open open;
    const std::int64_t count = std::int64_t(blocks.x) * blocks.y * blocks.z;
    make_order();
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t b = order == Order::descending ? count - 1 - i : i;
      blockIdx = {unsigned(b % blocks.x), unsigned(b / blocks.x % blocks.y), unsigned(b / blocks.x / blocks.y)};
      std::memset(shared.data(), kNan, shared.size());
      run_block();
    }
  }

  int wait_for_block(bool vote, Place place) {
    Thread& t = threads_[std::size_t(now_)];
    t.place = place;
    t.vote = vote;
    t.state = State::waits_for_block;
    const int me = now_;
    release_block();
    switch_unless_ready(me);
    return t.votes;
  }

  std::uint64_t wait_for_warp(WarpOp op, unsigned mask, std::uint64_t value, int source, Place place) {
    const int me = now_;
    Thread& t = threads_[std::size_t(me)];
    if (!(mask >> (me % 32) & 1u)) fail(name() + ": lane " + std::to_string(me % 32) + " is not in its own mask" + text(place));
    t.place = place;
    t.op = op;
    t.mask = mask;
    t.value = value;
    t.source = source;
    t.state = State::waits_for_warp;
    release_warp(me);
    switch_unless_ready(me);
    return t.result;
  }

  void do_together(void* given, void (*all)(void* const*), Place place) {
    threads_[std::size_t(now_)].given = given;
    threads_[std::size_t(now_)].all = all;
    wait_for_warp(WarpOp::together, 0xffffffffu, 0, 0, place);
  }

  void copy_later(const Copy& copy) { threads_[std::size_t(now_)].open_copies.push_back(copy); }
  void close_copies() {
    Thread& t = threads_[std::size_t(now_)];
    t.closed_copies.push_back(std::exchange(t.open_copies, {}));
  }
  void await_copies(std::size_t groups_left) {
    Thread& t = threads_[std::size_t(now_)];
    for (; t.closed_copies.size() > groups_left; t.closed_copies.pop_front())
      for (const Copy& c : t.closed_copies.front()) {
        std::memcpy(c.to, c.from, c.read);
        std::memset(static_cast<char*>(c.to) + c.read, 0, c.bytes - c.read);
      }
  }

  int lane() const { return now_ % 32; }
  unsigned live_lanes() const {
    unsigned live = 0;
    const int first = now_ / 32 * 32;
    for (int i = first; i < std::min(first + 32, size_); ++i)
      live |= unsigned(threads_[std::size_t(i)].state != State::ended) << (i - first);
    return live;
  }

 private:
  std::string name() const { return std::string("kernel ") + name_; }
  static bool same(Place x, Place y) { return x.line == y.line && (x.file == y.file || std::strcmp(x.file, y.file) == 0); }
  static std::string text(Place p) { return std::string(" at ") + p.file + ":" + std::to_string(p.line); }

  void check_limits(dim3 blocks, dim3 threads, std::size_t shared_bytes) const {
    const auto shape = [](dim3 d) { return "(" + std::to_string(d.x) + ", " + std::to_string(d.y) + ", " + std::to_string(d.z) + ")"; };
    const bool grid = blocks.x >= 1 && blocks.x <= 0x7fffffffu && blocks.y >= 1 && blocks.y <= 65535 && blocks.z >= 1 && blocks.z <= 65535;
    const bool block = threads.x >= 1 && threads.y >= 1 && threads.z >= 1 && threads.x <= 1024 && threads.y <= 1024 && threads.z <= 64 &&
                       std::uint64_t(threads.x) * threads.y * threads.z <= 1024;
    if (!grid) fail(name() + ": a grid of " + shape(blocks) + " blocks is not within a device's limits");
    if (!block) fail(name() + ": a block of " + shape(threads) + " threads is not within a device's limits");
    if (shared_bytes > kMaxSharedBytes)
      fail(name() + ": " + std::to_string(shared_bytes) + " bytes of shared memory a block are more than a device has");
  }

  /// Exactly as large as asked for, so that what lies behind is a guard.
  void lay_shared_memory(std::size_t bytes) {
    shared.assign(bytes, 0xff);
    // the static arrays of all kernels: the thread-local variables of this program
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void*) {
          for (int i = 0; i < info->dlpi_phnum; ++i)
            if (info->dlpi_phdr[i].p_type == PT_TLS && info->dlpi_tls_data)
              std::memset(info->dlpi_tls_data, kNan, info->dlpi_phdr[i].p_memsz);
          return 1;  // the first entry is the program itself
        },
        nullptr);
  }

  void make_order() {
    order_.resize(std::size_t(size_));
    for (int i = 0; i < size_; ++i) order_[std::size_t(i)] = order == Order::descending ? size_ - 1 - i : i;
    if (order == Order::shuffled) std::shuffle(order_.begin(), order_.end(), std::mt19937(seed));
  }

  void run_block() {
    threads_.assign(std::size_t(size_), {});
    next_ = 0;
    live_ = size_;
    while (next_ < order_.size()) resume(idle_worker());
    while (live_ > 0) {
      bool moved = false;
      for (int t : order_) {
        if (threads_[std::size_t(t)].state != State::ready) continue;
        moved = true;
        enter(t);
        resume(*threads_[std::size_t(t)].worker);
      }
      if (!moved) fail(name() + ": threads wait for each other for ever: " + waiting());
    }
  }

  Worker& idle_worker() {
    if (idle_.empty()) {
      workers_.emplace_back();
      Worker& w = workers_.back();
      w.work = fiber(std::allocator_arg, boost::context::protected_fixedsize_stack(kStackBytes), [this, &w](fiber&& scheduler) {
        w.scheduler = std::move(scheduler);
        for (;;) {
          while (next_ < order_.size() && !failure_) run_thread(order_[next_++], w);
          idle_.push_back(&w);
          w.scheduler = std::move(w.scheduler).resume();
        }
        return std::move(w.scheduler);
      });
      return w;
    }
    Worker& w = *idle_.back();
    idle_.pop_back();
    return w;
  }

  void run_thread(int t, Worker& w) {
    threads_[std::size_t(t)].worker = &w;
    enter(t);
    try {
      body_(given_);
      const Thread& ends = threads_[std::size_t(t)];
      if (!ends.open_copies.empty() || std::any_of(ends.closed_copies.begin(), ends.closed_copies.end(), [](const auto& group) { return !group.empty(); }))
        fail(name() + ": thread " + std::to_string(t) + " ends with copies under way");
      threads_[std::size_t(t)].state = State::ended;
      --live_;
      release_block();
      for (int i = t / 32 * 32; i < std::min(t / 32 * 32 + 32, size_); ++i)
        if (threads_[std::size_t(i)].state == State::waits_for_warp) release_warp(i);
    } catch (const boost::context::detail::forced_unwind&) {
      throw;
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  void enter(int t) {
    now_ = t;
    const unsigned u = unsigned(t);
    threadIdx = {u % blockDim.x, u / blockDim.x % blockDim.y, u / blockDim.x / blockDim.y};
  }

  void resume(Worker& w) {
    w.work = std::move(w.work).resume();
    if (!failure_) return;
    // What still waits is left where it is: its stack cannot be unwound in good order.
    auto* left = new std::deque<Worker>(std::move(workers_));
    (void)left;
    workers_.clear();
    idle_.clear();
    live_ = 0;
    next_ = order_.size();
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }

  void switch_unless_ready(int me) {
    Thread& t = threads_[std::size_t(me)];
    if (t.state != State::ready) {
      Worker& w = *t.worker;
      w.scheduler = std::move(w.scheduler).resume();
    }
    t.state = State::ready;
  }

  void release_block() {
    int here = 0, votes = 0;
    const Thread* first = nullptr;
    if (last_seen_waiting_ < size_ && threads_[std::size_t(last_seen_waiting_)].state != State::waits_for_block &&
        threads_[std::size_t(last_seen_waiting_)].state != State::ended)
      return;  // a shortcut: that one is not here yet
    for (int i = 0; i < size_; ++i) {
      const Thread& t = threads_[std::size_t(i)];
      if (t.state == State::ended) continue;
      if (t.state != State::waits_for_block) {
        last_seen_waiting_ = i;
        return;
      }
      if (!first) first = &t;
      if (!same(t.place, first->place)) fail(name() + ": its threads wait at different barriers: " + waiting());
      ++here;
      votes += t.vote;
    }
    if (here == 0) return;
    for (Thread& t : threads_)
      if (t.state == State::waits_for_block) {
        t.votes = votes;
        t.state = State::ready;
      }
  }

  void release_warp(int one) {
    const Thread& asked = threads_[std::size_t(one)];
    const int first = one / 32 * 32, end = std::min(first + 32, size_);
    unsigned group = 0;
    for (int i = first; i < end; ++i) {
      const Thread& t = threads_[std::size_t(i)];
      if (!(asked.mask >> (i - first) & 1u) || t.state == State::ended) continue;
      const bool here = t.state == State::waits_for_warp && t.op == asked.op && t.mask == asked.mask && same(t.place, asked.place);
      if (!here) return;
      group |= 1u << (i - first);
    }
    if (asked.op == WarpOp::together) do_all(first, group);
    for (int i = first; i < end; ++i)
      if (group >> (i - first) & 1u) threads_[std::size_t(i)].result = result_of(i, group);
    for (int i = first; i < end; ++i)
      if (group >> (i - first) & 1u) threads_[std::size_t(i)].state = State::ready;
  }

  void do_all(int first, unsigned group) const {
    const Thread& one = threads_[std::size_t(first)];
    if (group != 0xffffffffu) fail(name() + ": an operation of a whole warp, of which lanes have ended" + text(one.place));
    std::array<void*, 32> lanes{};
    for (std::size_t i = 0; i < 32; ++i) lanes[i] = threads_[std::size_t(first) + i].given;
    one.all(lanes.data());
  }

  std::uint64_t result_of(int thread, unsigned group) const {
    const Thread& t = threads_[std::size_t(thread)];
    const int first = thread / 32 * 32;
    if (t.op == WarpOp::sync || t.op == WarpOp::together) return 0;
    if (t.op == WarpOp::shuffle) {
      const bool there = t.source >= 0 && t.source < 32 && (group >> t.source & 1u);
      return there ? threads_[std::size_t(first + t.source)].value : ~std::uint64_t(0);
    }
    std::uint64_t result = 0;
    bool begun = false;
    for (int i = 0; i < 32; ++i) {
      if (!(group >> i & 1u)) continue;
      const std::uint64_t v = threads_[std::size_t(first + i)].value;
      if (t.op == WarpOp::ballot)
        result |= v << i;
      else if (t.op == WarpOp::match)
        result |= std::uint64_t(v == t.value) << i;
      else
        result = begun ? folded(t.op, result, v) : v;
      begun = true;
    }
    return result;
  }

  /// "200 threads at norm.cu:31 (thread 0 first), 56 ended (thread 8 first)"
  std::string waiting() const {
    std::map<std::string, std::pair<int, int>> places;
    for (int i = 0; i < size_; ++i) {
      const Thread& t = threads_[std::size_t(i)];
      std::string what = t.state == State::ended             ? "ended"
                         : t.state == State::waits_for_block ? "at the block's barrier" + text(t.place)
                         : t.state == State::waits_for_warp
                             ? "at the warp's operation" + text(t.place) + " with mask " + std::to_string(t.mask)
                             : "on their way";
      auto [it, fresh] = places.try_emplace(what, 0, i);
      ++it->second.first;
    }
    std::string all;
    for (const auto& [what, p] : places)
      all += (all.empty() ? "" : ", ") + std::to_string(p.first) + " threads " + what + " (thread " + std::to_string(p.second) + " first)";
    return all;
  }

  static constexpr std::size_t kMaxSharedBytes = 227 * 1024;
  const char* name_ = "";
  void (*body_)(const void*) = nullptr;
  const void* given_ = nullptr;
  int size_ = 0, live_ = 0, now_ = 0, last_seen_waiting_ = 0;
  std::size_t next_ = 0;
  std::vector<int> order_;
  std::vector<Thread> threads_;
  std::deque<Worker> workers_;
  std::vector<Worker*> idle_;
  std::exception_ptr failure_;
};

Scheduler& scheduler() {
  static auto* s = new Scheduler;  // never destroyed: its fibers never end
  return *s;
}
std::mutex running;

}  // namespace

/// TENON_LAUNCHES names a file: it is told of each launch, "name blocks threads seconds", for ../bench/shapes/launches.py.
static void note_launch(const char* name, double blocks, double threads, double seconds) {
  static const char* const file = std::getenv("TENON_LAUNCHES");
  if (file) std::ofstream(file, std::ios::app) << name << ' ' << blocks << ' ' << threads << ' ' << seconds << '\n' << std::flush;
}

void set_order(Order order, unsigned seed) {
  std::lock_guard lock(running);
  scheduler().order = order;
  scheduler().seed = seed;
}

void run_grid(const char* name, dim3 blocks, dim3 threads, std::size_t shared_bytes, void (*body)(const void*), const void* given) {
  std::lock_guard lock(running);
  reports_of(name);
  const auto begin = std::chrono::steady_clock::now();
  scheduler().run(name, blocks, threads, shared_bytes, body, given);
  const double of_blocks = double(blocks.x) * blocks.y * blocks.z, of_threads = double(threads.x) * threads.y * threads.z;
  note_launch(name, of_blocks, of_threads, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  spend_on(name, of_blocks * of_threads);
  if (const std::string damage = damaged_guards(); !damage.empty()) fail("kernel " + std::string(name) + ": " + damage);
  if (const int n = reports_of(nullptr))
    fail("kernel " + std::string(name) + ": undefined behaviour (" + std::to_string(n) + " reports on standard error)");
}

void note_run(const void* kernel) {
  static const char* const file = std::getenv("TENON_KERNELS_RAN");
  static auto& noted = *new std::set<const void*>;
  Dl_info module{};
  if (!file || !kernel || !noted.insert(kernel).second || !dladdr(kernel, &module)) return;
  char place[32];
  std::snprintf(place, sizeof place, " %016llx\n", static_cast<unsigned long long>(static_cast<const char*>(kernel) - static_cast<const char*>(module.dli_fbase)));
  std::ofstream(file, std::ios::app) << std::filesystem::canonical(module.dli_fname).string() + place << std::flush;  // one write, so that processes do not mix theirs
}

void* block_memory() {
  return scheduler().shared.data();
}
int wait_for_block(bool vote, Place place) {
  return scheduler().wait_for_block(vote, place);
}
std::uint64_t wait_for_warp(WarpOp op, unsigned mask, std::uint64_t value, int source, Place place) {
  return scheduler().wait_for_warp(op, mask, value, source, place);
}
void do_together(void* given, void (*all)(void* const*), Place place) {
  scheduler().do_together(given, all, place);
}
void copy_later(void* to, const void* from, std::size_t read, std::size_t bytes) {
  scheduler().copy_later({to, from, read, bytes});
}
void close_copies() {
  scheduler().close_copies();
}
void await_copies(std::size_t groups_left) {
  scheduler().await_copies(groups_left);
}
int lane() {
  return scheduler().lane();
}
unsigned live_lanes() {
  return scheduler().live_lanes();
}

}  // namespace tenon::cuda::on_cpu

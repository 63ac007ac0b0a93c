#include "cuda_on_cpu/runtime/memory.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <tuple>
#include <vector>

namespace tenon::cuda::on_cpu {
namespace {

constexpr std::size_t kGuard = 256;  // also the alignment, as on a device
constexpr int kNan = 0xff;
constexpr unsigned char kGuardByte = 0xff;  // read by mistake, it is a NaN, too

struct Block {
  unsigned char* begin;  ///< of the guard before
  std::size_t bytes, taken;  ///< asked for; of the region
  BlockTimes times;
};

/// One range of addresses for all device memory, so that one call opens or closes it. Blocks come from its end, or from one of their size that came back.
struct Region {
  static constexpr std::size_t kBytes = std::size_t(32) << 30;  // of addresses; memory is taken as it is touched
  unsigned char* begin = nullptr;
  std::size_t used = 0, page = std::size_t(sysconf(_SC_PAGESIZE));
  std::map<std::size_t, std::vector<unsigned char*>> free;
  int open = 0;
  bool closes = false;

  Region() {
    void* at = mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) std::abort();
    begin = static_cast<unsigned char*>(at);
    struct sigaction action {};
    action.sa_sigaction = tell;
    action.sa_flags = SA_SIGINFO | SA_RESETHAND;
    sigaction(SIGSEGV, &action, &before);
  }
  void protect(int rights) const {
    if (used > 0 && mprotect(begin, (used + page - 1) / page * page, rights) != 0) std::abort();
  }
  /// A quarter of a power of two is the finest size: few lists, little waste.
  static std::size_t class_of(std::size_t bytes) {
    const std::size_t step = std::max<std::size_t>(kGuard, std::bit_floor(bytes) / 4);
    return (bytes + step - 1) / step * step;
  }
  /// Open.
  unsigned char* take(std::size_t bytes) {
    if (auto& list = free[bytes]; !list.empty()) {
      unsigned char* at = list.back();
      list.pop_back();
      return at;
    }
    if (used + bytes > kBytes) return nullptr;
    unsigned char* at = begin + used;
    used += bytes;
    protect(PROT_READ | PROT_WRITE);
    return at;
  }

  static struct sigaction before;
  static void tell(int, siginfo_t* info, void*);
};
struct sigaction Region::before;

Region& region() {
  static auto& r = *new Region;
  return r;
}

void Region::tell(int, siginfo_t* info, void*) {
  const auto* at = static_cast<unsigned char*>(info->si_addr);
  if (at >= region().begin && at < region().begin + kBytes) {
    constexpr char kText[] = "cuda_on_cpu: the host touched device memory\n";
    (void)!write(STDERR_FILENO, kText, sizeof kText - 1);
  }
  sigaction(SIGSEGV, &before, nullptr);  // the access is made again, and ends as it would have
}

std::mutex mutex;
std::map<void*, Block>& blocks() {
  static auto* all = new std::map<void*, Block>;
  return *all;
}
std::string& damage() {
  static auto* text = new std::string;
  return *text;
}
std::size_t in_use = 0;
bool zeroed = false;

constexpr std::size_t kMemory = std::size_t(8) << 30;
std::size_t size = kMemory;

bool intact(const unsigned char* from, const unsigned char* to) {
  return std::all_of(from, to, [](unsigned char c) { return c == kGuardByte; });
}

void add_damage(const std::string& text) { damage() += (damage().empty() ? "" : ", ") + text; }

void note(const Block& b) {
  unsigned char *data = b.begin + kGuard, *end = data + b.bytes;
  for (auto [from, to, where] : {std::tuple(b.begin, data, "before"), std::tuple(end, end + kGuard, "behind")}) {
    if (intact(from, to)) continue;
    add_damage(std::string("written ") + where + " a block of " + std::to_string(b.bytes) + " bytes");
    std::memset(from, kGuardByte, kGuard);
  }
}

}  // namespace

void close_to_host(bool on) {
  std::lock_guard lock(mutex);
  Region& r = region();
  r.closes = on;
  if (r.open == 0) r.protect(on ? PROT_NONE : PROT_READ | PROT_WRITE);
}

Open::Open() {
  std::lock_guard lock(mutex);
  Region& r = region();
  if (r.open++ == 0 && r.closes) r.protect(PROT_READ | PROT_WRITE);
}

Open::~Open() {
  std::lock_guard lock(mutex);
  Region& r = region();
  if (--r.open == 0 && r.closes) r.protect(PROT_NONE);
}

ZeroedMemory::ZeroedMemory() {
  std::lock_guard lock(mutex);
  zeroed = true;
}

ZeroedMemory::~ZeroedMemory() {
  std::lock_guard lock(mutex);
  zeroed = false;
}

void* take(std::size_t bytes) {
  const Open open;
  std::lock_guard lock(mutex);
  const std::size_t whole = (2 * kGuard + bytes + kGuard - 1) / kGuard * kGuard, taken = Region::class_of(whole);
  unsigned char* begin = region().take(taken);
  if (!begin) return nullptr;
  std::memset(begin, kNan, whole);
  if (zeroed) std::memset(begin + kGuard, 0, bytes);
  blocks()[begin + kGuard] = {begin, bytes, taken, {bytes}};
  in_use += bytes;
  return begin + kGuard;
}

void give_back(void* at) {
  if (!at) return;
  const Open open;
  std::lock_guard lock(mutex);
  auto it = blocks().find(at);
  if (it == blocks().end()) {
    add_damage("a block was freed that is none");
    return;
  }
  note(it->second);
  in_use -= it->second.bytes;
  std::memset(at, kNan, it->second.bytes);
  region().free[it->second.taken].push_back(it->second.begin);
  blocks().erase(it);
}

BlockTimes* times_of(const void* at) {
  std::lock_guard lock(mutex);
  const auto next = blocks().upper_bound(const_cast<void*>(at));
  if (next == blocks().begin()) return nullptr;
  auto& [begin, block] = *std::prev(next);
  return at < static_cast<const char*>(begin) + block.bytes ? &block.times : nullptr;
}

std::size_t bytes_from(const void* at) {
  std::lock_guard lock(mutex);
  const auto next = blocks().upper_bound(const_cast<void*>(at));
  if (next == blocks().begin()) return 0;
  const auto& [begin, block] = *std::prev(next);
  const auto before = std::size_t(static_cast<const char*>(at) - static_cast<const char*>(begin));
  return before < block.bytes ? block.bytes - before : 0;
}

void note_damage(const std::string& text) {
  std::lock_guard lock(mutex);
  add_damage(text);
}

std::string damaged_guards() {
  const Open open;
  std::lock_guard lock(mutex);
  for (const auto& [at, block] : blocks()) note(block);
  std::string found;
  found.swap(damage());
  return found;
}

std::size_t memory_size() {
  std::lock_guard lock(mutex);
  return size;
}

void set_memory_size(std::size_t bytes) {
  std::lock_guard lock(mutex);
  size = bytes ? bytes : kMemory;
}

std::size_t bytes_in_use() {
  std::lock_guard lock(mutex);
  return in_use;
}

}  // namespace tenon::cuda::on_cpu

#include "memory.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <tuple>

namespace tenon::cuda::on_cpu {
namespace {

constexpr std::size_t kGuard = 256;  // also the alignment, as on a device
constexpr int kNan = 0xff;
constexpr unsigned char kGuardByte = 0xff;  // read by mistake, it is a NaN, too

struct Block {
  unsigned char* begin;  ///< of the guard before
  std::size_t bytes;
  BlockTimes times;
};

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

void* take(std::size_t bytes) {
  std::lock_guard lock(mutex);
  const std::size_t whole = (2 * kGuard + bytes + kGuard - 1) / kGuard * kGuard;
  auto* begin = static_cast<unsigned char*>(std::aligned_alloc(kGuard, whole));
  if (!begin) return nullptr;
  std::memset(begin, kNan, whole);
  blocks()[begin + kGuard] = {begin, bytes, {bytes}};
  in_use += bytes;
  return begin + kGuard;
}

void give_back(void* at) {
  if (!at) return;
  std::lock_guard lock(mutex);
  auto it = blocks().find(at);
  if (it == blocks().end()) {
    add_damage("a block was freed that is none");
    return;
  }
  note(it->second);
  in_use -= it->second.bytes;
  std::memset(at, kNan, it->second.bytes);
  std::free(it->second.begin);
  blocks().erase(it);
}

BlockTimes* times_of(const void* at) {
  std::lock_guard lock(mutex);
  const auto next = blocks().upper_bound(const_cast<void*>(at));
  if (next == blocks().begin()) return nullptr;
  auto& [begin, block] = *std::prev(next);
  return at < static_cast<const char*>(begin) + block.bytes ? &block.times : nullptr;
}

void note_damage(const std::string& text) {
  std::lock_guard lock(mutex);
  add_damage(text);
}

std::string damaged_guards() {
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

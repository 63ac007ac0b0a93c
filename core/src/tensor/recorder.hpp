/// Recording of launches on one thread (private; the public face is plan.hpp).
///
/// Invariant: a storage made while recording has no memory. Launches refer to such storages by id; every other
/// storage a launch touches is held, so its address stays valid for the life of the plan.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "ops/element_op.hpp"
#include "tenon/kernel.hpp"
#include "tenon/storage.hpp"

namespace tenon {

std::unique_ptr<Allocator> make_cpu_allocator();

class Recorder {
 public:
  struct Operand {
    std::uint64_t storage;
    std::size_t byte_offset;
    Shape shape;
    DType dtype;
    bool written;
  };
  struct Launch {
    const char* name;
    std::vector<Operand> operands;
    Kernel kernel;
    std::optional<ElementOp> element = {};  ///< of an elementwise op
    int joined = 1;                         ///< elementwise ops that it does
  };
  struct Buffer {
    std::size_t bytes = 0;
    std::weak_ptr<Storage> storage;  ///< empty once nobody outside the step holds it
    int first = -1, last = -1;       ///< launches that touch it
    MemoryTag tag = MemoryTag::other;
    Device device;
  };

  static Recorder* current() noexcept;

  Recorder();  ///< starts recording on this thread; throws if one is under way
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  void on_create(std::uint64_t id, std::size_t bytes, MemoryTag tag, Device device) {
    Buffer& b = buffers[id];
    b.bytes = bytes;
    b.tag = tag;
    b.device = device;
  }
  /// Where the step works: that of everything made inside it. Throws a usage error naming the launch where that differs.
  Device device() const;
  void adopt(const std::shared_ptr<Storage>& s) { buffers[s->id()].storage = s; }
  void record(const char* name, std::span<const Tensor> reads, std::span<const Tensor> writes, Kernel kernel);
  void hold(const std::shared_ptr<Storage>& s) { held[s->id()] = s; }

  std::vector<Launch> launches;
  std::unordered_map<std::uint64_t, Buffer> buffers;                    ///< made inside the step
  std::unordered_map<std::uint64_t, std::shared_ptr<Storage>> held;     ///< made outside, or constants
};

}  // namespace tenon

/// Where the launches of a recorded step read and write (private).
#pragma once

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tensor/recorder.hpp"

namespace tenon {

using StorageId = std::uint64_t;

/// What the launch finds in memory: what it reads and, but for elementwise ops, what it writes, which may be in part or on top of what is there.
inline bool finds(const Recorder::Launch& l, const Recorder::Operand& o) { return !o.written || !l.element; }

/// Storages by what they share memory with: tensors that wrap one block (Tensor::wrap, DLPack) have storages of their own.
class Roots {
 public:
  explicit Roots(const Recorder& r) {
    std::vector<const Storage*> all;
    for (const auto& [id, s] : r.held)
      if (s->data() && s->bytes() > 0) all.push_back(s.get());
    std::sort(all.begin(), all.end(), [](const Storage* a, const Storage* b) { return std::less<>()(a->data(), b->data()); });
    const std::byte* end = nullptr;
    StorageId first = 0;
    for (const Storage* s : all) {
      const auto* begin = static_cast<const std::byte*>(s->data());
      if (end && std::less<>()(begin, end)) root_[s->id()] = first;
      else first = s->id();
      end = end && std::less<>()(begin + s->bytes(), end) ? end : begin + s->bytes();
    }
  }
  StorageId operator()(StorageId storage) const {
    const auto it = root_.find(storage);
    return it == root_.end() ? storage : it->second;
  }

 private:
  std::unordered_map<StorageId, StorageId> root_;  ///< of all but the first of a block
};

/// Sizes without the axes of one.
inline Shape squeezed(const Shape& shape, const Shape& of) {
  Shape out;
  for (int a = 0; a < shape.rank(); ++a)
    if (shape[a] != 1) out.push_back(of[a]);
  return out;
}

}  // namespace tenon

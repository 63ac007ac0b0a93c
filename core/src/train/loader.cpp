#include "train/loader.hpp"

#include <utility>

namespace tenon {

BatchLoader::BatchLoader(const std::vector<TensorSpec>& spec, std::int64_t first_step, int threads, int prefetch, Fill fill, const MakeTensor& make)
    : slots_([&] {
        std::vector<Slot> slots(Prefetch::slots(prefetch));
        for (Slot& slot : slots)
          for (const TensorSpec& s : spec) slot.own.push_back(make(s));
        return slots;
      }()),
      prefetch_(first_step, threads, prefetch, [this, fill = std::move(fill)](std::int64_t step, std::size_t number) {
        Slot& slot = slots_[number];
        slot.batch = slot.own;
        fill(step, slot.batch);
      }) {}

BatchLoader::~BatchLoader() = default;

const std::vector<Tensor>& BatchLoader::next() { return slots_[prefetch_.next()].batch; }

const std::vector<Tensor>* BatchLoader::next_if_ready() {
  const auto slot = prefetch_.next_if_ready();
  return slot ? &slots_[*slot].batch : nullptr;
}

}  // namespace tenon

#include "tensor/plan_passes.hpp"

#include <algorithm>

#include "ops/copy.hpp"
#include "tensor/join_chains.hpp"

namespace tenon {
namespace {

using Launch = Recorder::Launch;
using Operand = Recorder::Operand;

/// Of a constant, which is kept for as long as the plan.
constexpr std::size_t kConstantBytes = std::size_t(128) << 10;
/// Casts of at most so many elements are joined: above, the bytes take longer than a launch, and a result that is made early holds memory.
constexpr std::int64_t kCastElements = 1 << 20;

/// Storages that somebody besides the step's launches can see.
std::unordered_set<StorageId> seen_outside(const Recorder& r) {
  std::unordered_set<StorageId> seen;
  for (const Launch& l : r.launches)
    for (const Operand& o : l.operands)
      if (auto it = r.buffers.find(o.storage); it == r.buffers.end() || it->second.storage.lock()) seen.insert(o.storage);
  return seen;
}

// ---- what nobody reads ----------------------------------------------------------------------------------------------

void drop_unread(Recorder& r, const std::unordered_set<StorageId>& outside) {
  std::unordered_set<StorageId> wanted = outside;
  std::vector<bool> keep(r.launches.size());
  for (std::size_t i = r.launches.size(); i-- > 0;) {
    const auto& operands = r.launches[i].operands;
    const bool writes = std::any_of(operands.begin(), operands.end(), [](const Operand& o) { return o.written; });
    keep[i] = !writes || std::any_of(operands.begin(), operands.end(), [&](const Operand& o) { return o.written && wanted.count(o.storage); });
    if (!keep[i]) continue;
    for (const Operand& o : operands)
      if (finds(r.launches[i], o)) wanted.insert(o.storage);
  }
  std::vector<Launch> kept;
  for (std::size_t i = 0; i < keep.size(); ++i)
    if (keep[i]) kept.push_back(std::move(r.launches[i]));
  r.launches = std::move(kept);
}

// ---- what is the same in every run ----------------------------------------------------------------------------------

std::vector<Launch> take_constants(Recorder& r, const std::unordered_set<StorageId>& outside) {
  std::unordered_map<StorageId, int> writers;
  for (const Launch& l : r.launches)
    for (const Operand& o : l.operands) writers[o.storage] += o.written;
  std::unordered_set<StorageId> constant;
  std::vector<Launch> once, rest;
  for (Launch& l : r.launches) {
    const auto is_constant = [&] {
      if (!l.element) return false;
      const Operand& out = l.operands.back();
      if (outside.count(out.storage) || writers[out.storage] != 1 || r.buffers.at(out.storage).bytes > kConstantBytes) return false;
      return std::all_of(l.operands.begin(), l.operands.end() - 1, [&](const Operand& o) { return constant.count(o.storage) > 0; });
    };
    if (is_constant()) {
      constant.insert(l.operands.back().storage);
      once.push_back(std::move(l));
    } else {
      rest.push_back(std::move(l));
    }
  }
  r.launches = std::move(rest);
  return once;
}

// ---- casts ----------------------------------------------------------------------------------------------------------

bool is_cast(const Launch& l) {
  const auto narrow = [](DType t) { return t == DType::f32 || t == DType::f16 || t == DType::bf16; };
  if (!l.element || l.element->kind != ElementOp::Kind::convert) return false;
  const Operand &from = l.operands.front(), &to = l.operands.back();
  return narrow(from.dtype) && narrow(to.dtype) && from.dtype != to.dtype && to.shape.numel() > 0 && to.shape.numel() <= kCastElements &&
         squeezed(to.shape, l.element->strides[0]) == squeezed(to.shape, to.shape).contiguous_strides();
}

/// One launch of casts that could all run where the first of them stands.
Launch joined_casts(const std::vector<Launch*>& all, Device device) {
  Launch out{"casts", {}, {}};
  std::vector<Cast> casts;
  for (const Launch* l : all) {
    out.operands.push_back(l->operands.front());
    casts.push_back({l->operands.front().dtype, l->operands.back().dtype, l->operands.back().shape.numel()});
  }
  for (const Launch* l : all) out.operands.push_back(l->operands.back());
  out.kernel = casts_kernel(device, casts);
  return out;
}

void join_casts(Recorder& r, const Roots& root, Device device) {
  std::unordered_map<StorageId, int> writers;
  for (const Launch& l : r.launches)
    for (const Operand& o : l.operands) writers[o.storage] += o.written;
  std::unordered_set<StorageId> written;
  std::vector<std::vector<Launch*>> sets;
  for (Launch& l : r.launches) {
    const bool early = is_cast(l) && !written.count(root(l.operands.front().storage)) && r.buffers.count(l.operands.back().storage) &&
                       writers[l.operands.back().storage] == 1;
    if (early) {
      if (sets.empty() || sets.back().size() == kCasts) sets.emplace_back();
      sets.back().push_back(&l);
    }
    for (const Operand& o : l.operands)
      if (o.written) written.insert(root(o.storage));
  }
  std::unordered_map<const Launch*, Launch> instead;
  std::unordered_set<const Launch*> gone;
  for (const auto& set : sets) {
    if (set.size() < 2) continue;
    instead.emplace(set.front(), joined_casts(set, device));
    gone.insert(set.begin() + 1, set.end());
  }
  std::vector<Launch> out;
  for (Launch& l : r.launches) {
    if (gone.count(&l)) continue;
    const auto it = instead.find(&l);
    out.push_back(std::move(it == instead.end() ? l : it->second));
  }
  r.launches = std::move(out);
}

void find_lives(Recorder& r) {
  for (auto& [id, b] : r.buffers) b.first = b.last = -1;
  for (std::size_t i = 0; i < r.launches.size(); ++i)
    for (const Operand& o : r.launches[i].operands)
      if (auto it = r.buffers.find(o.storage); it != r.buffers.end()) {
        if (it->second.first < 0) it->second.first = int(i);
        it->second.last = int(i);
      }
}

}  // namespace

std::vector<Launch> simplify(Recorder& r) {
  const Device device = r.device();
  const std::unordered_set<StorageId> outside = seen_outside(r);
  drop_unread(r, outside);
  std::vector<Launch> once = take_constants(r, outside);
  const Roots root(r);
  join_chains(r, outside, root, device);
  join_casts(r, root, device);
  find_lives(r);
  return once;
}

}  // namespace tenon

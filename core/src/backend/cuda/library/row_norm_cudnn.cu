/// Layer norm and RMS norm by cuDNN where it is there and faster: the slots, and how a chosen plan is run.
#include <algorithm>
#include <array>

#include "backend/cuda/install.hpp"
#include "backend/cuda/library/row_norm_tune.hpp"
#include "backend/cuda/scratch.cuh"

namespace tenon::cuda {
namespace {

Kernel make(const RowNorm& p, RowNormPass pass) {
  Kernel own = own_row_norm(p, pass);
  const PlanChoice c = row_norm_choice({p, pass});
  if (!c.graph) return own;
  const auto space = c.plan.workspace > 0 ? scratch(c.plan.workspace) : nullptr;
  return [=](void* const* o) {
    const bool even =
        std::all_of(o, o + row_norm_operands(pass).count, [](const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; });
    even ? run_row_norm_choice(c, pass, o, space ? space->as<>() : nullptr) : own(o);
  };
}

}  // namespace

void run_row_norm_choice(const PlanChoice& c, RowNormPass pass, void* const* o, void* workspace) {
  const RowNormOperands slot = row_norm_operands(pass);
  std::array<const void*, 8> operands{};
  std::size_t count = 0;
  for (int i = 0; i < slot.count; ++i)
    if (i != slot.partial) operands[count++] = o[i];
  if (!c.graph->run(c.plan, {operands.data(), count}, workspace))
    throw Error(ErrorKind::device, "cuda.cudnn", "cuDNN refused a norm that it computed before: " + c.plan.engine,
                "set TENON_CUDNN=none to compute without cuDNN");
}

void install_row_norm_cudnn() {
  if (!cudnn_here()) return;
  for_row_norm_slots([](auto& slot, RowNormPass pass) { slot.set(DeviceType::cuda, [pass](const RowNorm& p) { return make(p, pass); }); });
}

}  // namespace tenon::cuda

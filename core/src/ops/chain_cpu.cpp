/// Chains of elementwise ops on the CPU: each op's own loop, over tiles that stay in the first cache.
#include <algorithm>
#include <memory>
#include <optional>

#include "backend/cpu/strided.hpp"
#include "backend/cpu/tiles.hpp"
#include "ops/chain.hpp"
#include "ops/elementwise_loops.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kTile = 512;  ///< elements: a chain's tiles together fit the first cache
constexpr int kOperands = Chain::kInputs + Chain::kOutputs;

template <class C>
void load_flags(const void* from, std::int64_t step, C* to, std::int64_t n) {
  const bool* flags = static_cast<const bool*>(from);
  for (std::int64_t i = 0; i < n; ++i) to[i] = flags[i * step] ? 1 : 0;
}

/// A step with its loop. Its result goes through a tile where it is not of type C, or does not lie as the tiles do.
template <class C>
struct Instruction {
  Chain::Step step;
  UnaryLoop<C> unary = nullptr;
  BinaryLoop<C> binary = nullptr;
  bool own;                           ///< the result's type is C
  cpu::StoreTile<C> store;            ///< to the result's type
  cpu::LoadTile<C> load = nullptr;    ///< back from it: what rounds; none for bool

  Instruction(const Chain::Step& s, DType computed) : step(s), own(s.dtype == computed), store(cpu::tile_storer<C>(s.dtype)) {
    if (s.kind == ElementOp::Kind::unary) unary = unary_loop_of<C>(kernels::Unary(s.code));
    if (s.kind == ElementOp::Kind::binary) binary = binary_loop_of<C>(kernels::Binary(s.code));
    if (!own && s.dtype != DType::boolean) load = cpu::tile_loader<C>(s.dtype);
  }

  void compute(const C* const* registers, C* to, std::int64_t n) const {
    const C *a = registers[step.from[0]], *b = registers[step.from[1]], *c = registers[step.from[2]];
    switch (step.kind) {
      case ElementOp::Kind::unary: return unary(step.args, n, a, to);
      case ElementOp::Kind::binary: return binary(n, a, b, to);
      case ElementOp::Kind::choose:
        for (std::int64_t i = 0; i < n; ++i) to[i] = a[i] != C(0) ? b[i] : c[i];
        return;
      default: std::copy(a, a + n, to);
    }
  }
};

template <class C>
struct Program {
  std::vector<Chain::Input> inputs;
  std::vector<cpu::LoadTile<C>> loads;
  std::vector<Instruction<C>> steps;
};

template <class C>
void run_tiles(const Program<C>& program, void* const* p, const cpu::Block<kOperands>& block) {
  alignas(64) C given[Chain::kInputs][kTile], made[Chain::kRegisters][kTile];
  alignas(64) std::byte rounded[kTile * sizeof(C)];
  const C* registers[Chain::kRegisters] = {};
  const std::size_t inputs = program.inputs.size();
  std::array<std::optional<cpu::TileSource<C>>, Chain::kInputs> sources;
  for (std::size_t k = 0; k < inputs; ++k) {
    const DType stored = program.inputs[k].dtype;
    sources[k].emplace(stored, program.loads[k], p[k], block.at[k], block.lines(k), stored == DType::f32 || stored == DType::f64);
  }
  std::array<std::optional<cpu::TileTarget<C>>, Chain::kOutputs> targets;
  for (const Instruction<C>& instruction : program.steps) {
    const int output = instruction.step.output;
    if (output < 0) continue;
    const std::size_t k = std::size_t(kOperands - 1 - output);
    targets[std::size_t(output)].emplace(instruction.step.dtype, instruction.store, p[inputs + std::size_t(output)], block.at[k], block.lines(k), instruction.own);
  }
  const std::int64_t cut = block.lines(0).cut(kTile), n = block.count();
  for (std::int64_t i = 0; i < n; i += cut) {
    const std::int64_t m = std::min(cut, n - i);
    for (std::size_t k = 0; k < inputs; ++k) registers[k] = sources[k]->tile(i, m, given[k]);
    for (const Instruction<C>& instruction : program.steps) {
      const Chain::Step& s = instruction.step;
      cpu::TileTarget<C>* target = s.output >= 0 ? &*targets[std::size_t(s.output)] : nullptr;
      C* to = target ? target->tile(i, made[s.to]) : made[s.to];
      instruction.compute(registers, to, m);
      if (target) target->put(to, i, m);
      if (instruction.load) {
        instruction.store(to, rounded, 1, m);
        instruction.load(rounded, 1, to, m);
      }
      registers[s.to] = to;
    }
  }
}

template <class C>
Kernel chain_of(const Chain& chain) {
  auto program = std::make_shared<Program<C>>();
  program->inputs = chain.inputs;
  for (const Chain::Input& i : chain.inputs) program->loads.push_back(i.dtype == DType::boolean ? load_flags<C> : cpu::tile_loader<C>(i.dtype));
  for (const Chain::Step& s : chain.steps) program->steps.emplace_back(s, chain.computed);
  cpu::StridedLoop<kOperands> loop(chain.shape, chain_strides<kOperands>(chain));
  return [loop, program](void* const* p) {
    loop.run_blocks([&](const cpu::Block<kOperands>& block) { run_tiles<C>(*program, p, block); });
  };
}

Kernel make_chain(const Chain& chain) { return chain.computed == DType::f64 ? chain_of<double>(chain) : chain_of<float>(chain); }

}  // namespace

KernelSlot<const Chain&> chain_kernel{"chain", make_chain};

}  // namespace tenon

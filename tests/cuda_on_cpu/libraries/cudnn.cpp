#include "cuda_on_cpu/libraries/cudnn.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "cuda_on_cpu/libraries/cudnn_loops.hpp"
#include "cuda_on_cpu/libraries/cudnn_recurrent.hpp"
#include "cuda_on_cpu/runtime/device_clock.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "cuda_on_cpu/runtime/spoil.hpp"
#include "cuda_on_cpu/runtime/work.hpp"
#include "ops/convert.hpp"
#include "ops/dispatch.hpp"

namespace tenon::cuda {
namespace on_cpu {

Cudnn& cudnn() {
  static auto& c = *new Cudnn;  // choices hold graphs to the end of the process
  return c;
}

void want(bool condition, const char* what) {
  if (!condition) throw std::logic_error(std::string("cuDNN's stand-in: ") + what);
}

namespace {

constexpr std::int64_t kUnwritten = 9;  ///< places in the middle of a result

void write(const Result& r, Deed deed) {
  dispatch_floating("stand-in", r.type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto count = std::int64_t(r.values.size()), middle = count / 2;
    for (std::int64_t i = 0; i < count; ++i) {
      if (deed == Deed::places_unwritten && i >= middle && i < middle + kUnwritten) continue;
      const double value = r.values[std::size_t(i)] * (deed == Deed::wrong ? 1.1 : 1.0);
      static_cast<T*>(r.row(i / r.width))[i % r.width] = convert<T>(value);
    }
  });
}

bool on_16_bytes(const void* at) { return reinterpret_cast<std::uintptr_t>(at) % 16 == 0; }

template <class Question>
class Graph final : public CudnnGraph {
 public:
  Graph(const Question& question, std::vector<StandInPlan> plans) : question_(question), plans_(std::move(plans)), built_(plans_.size(), false) {}
  ~Graph() override {
    for (bool built : built_) cudnn().built -= built;
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  std::int64_t plans() const override { return std::int64_t(plans_.size()); }
  std::string name(std::int64_t index) const override { return at(index).name; }

  bool build(std::int64_t index, CudnnPlan& plan) override {
    if (at(index).deed == Deed::unbuildable) return false;
    want(!built_[std::size_t(index)], "a plan is built twice");
    built_[std::size_t(index)] = true;
    ++cudnn().built;
    plan = {index, at(index).workspace, at(index).name};
    return true;
  }

  void drop(std::int64_t index) override {
    want(built_[std::size_t(index)], "a plan is dropped that was not built");
    built_[std::size_t(index)] = false;
    --cudnn().built;
  }

  bool run(const CudnnPlan& plan, std::span<const void* const> given, void* workspace) const override {
    const StandInPlan& how = at(plan.index);
    want(built_[std::size_t(plan.index)], "a plan runs that is not built");
    const std::vector<std::int64_t> bytes = operands_of(question_);
    want(given.size() == bytes.size(), "another number of operands");
    std::vector<void*> operands;
    for (const void* operand : given) {
      want(operand && on_16_bytes(operand), "an operand is missing, or off the 16 bytes");
      want(std::int64_t(bytes_from(operand)) >= bytes[operands.size()], "an operand's memory ends before it does");
      operands.push_back(const_cast<void*>(operand));
    }
    want(bytes_from(workspace) >= how.workspace, "the workspace's memory ends before it does");
    want(plan.workspace == how.workspace && (how.workspace == 0 || (workspace && on_16_bytes(workspace))), "the workspace is missing, or off the 16 bytes");
    if (how.deed == Deed::refused || cudnn().refuses) return false;
    enqueue([question = question_, how, operands, workspace] {
      cudnn().ran.push_back(how.name);
      const auto* const found = static_cast<const unsigned char*>(workspace);
      const bool misled = how.deed == Deed::wants_zeros && std::any_of(found, found + how.workspace, [](unsigned char byte) { return byte != 0; });
      spoil(workspace, how.workspace);
      const std::vector<Result> results = results_of(question, operands, how.deed);
      for (std::size_t i = 0; i < results.size(); ++i) write(results[i], misled ? Deed::wrong : i == how.output ? how.deed : Deed::none);
      spoil(workspace, how.workspace);
      if (how.deed == Deed::past_workspace) static_cast<unsigned char*>(workspace)[how.workspace] = 0;
      spend(how.microseconds);
    });
    return true;
  }

 private:
  const StandInPlan& at(std::int64_t index) const { return plans_.at(std::size_t(index)); }

  Question question_;
  std::vector<StandInPlan> plans_;
  std::vector<bool> built_;
};

template <class Question>
std::shared_ptr<CudnnGraph> graph_of(const Question& question, const Plans<Question>& plans) {
  check_question(question);
  std::vector<StandInPlan> all;
  if (plans) all = plans(question);
  if (all.empty()) return nullptr;
  return std::make_shared<Graph<Question>>(question, std::move(all));
}

}  // namespace
}  // namespace on_cpu

bool cudnn_here() {
  const on_cpu::Cudnn& c = on_cpu::cudnn();
  return c.convolutions || c.attentions || c.norms || !on_cpu::recurrent_layers().algorithms.empty();
}
std::size_t cudnn_version() {
  return 0;
}
std::shared_ptr<CudnnGraph> CudnnGraph::make(const CudnnConvolution& question) {
  return on_cpu::graph_of(question, on_cpu::cudnn().convolutions);
}
std::shared_ptr<CudnnGraph> CudnnGraph::make(const CudnnAttention& question) {
  return on_cpu::graph_of(question, on_cpu::cudnn().attentions);
}
std::shared_ptr<CudnnGraph> CudnnGraph::make(const CudnnRowNorm& question) {
  return on_cpu::graph_of(question, on_cpu::cudnn().norms);
}

}  // namespace tenon::cuda

#include "tenon/plan.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <unordered_set>

#include "autograd/backward_scope.hpp"
#include "backend/backend.hpp"
#include "tensor/launch_watch.hpp"
#include "tensor/plan_passes.hpp"
#include "tensor/recorder.hpp"

namespace tenon {
namespace {

thread_local Recorder* active = nullptr;
/// What vector loads and libraries want of an address.
std::size_t arena_alignment(Device device) { return device.type == DeviceType::cpu ? 64 : 256; }

std::array<CaptureFn, kDeviceTypes>& captures() {
  static std::array<CaptureFn, kDeviceTypes> all;
  return all;
}

}  // namespace

ReplayGraph::~ReplayGraph() = default;
void set_graph_capture(DeviceType type, CaptureFn capture) { captures()[std::size_t(type)] = std::move(capture); }

Recorder* Recorder::current() noexcept { return active; }
bool is_recording() noexcept { return active != nullptr; }

Recorder::Recorder() {
  if (active) throw_usage("StepPlan::record", "a step is already being recorded on this thread");
  active = this;
}
Recorder::~Recorder() { active = nullptr; }

void Recorder::record(const char* name, std::span<const Tensor> reads, std::span<const Tensor> writes, Kernel kernel) {
  Launch launch{name, {}, std::move(kernel)};
  launch.operands.reserve(reads.size() + writes.size());
  auto add = [&](const Tensor& t, bool written) {
    const std::shared_ptr<Storage>& s = t.storage();
    if (!s) throw_usage(name, "an operand is undefined");
    std::uint64_t id = s->id();
    if (auto it = buffers.find(id); it != buffers.end() && !s->data()) {
      Buffer& b = it->second;
      if (b.first < 0) b.first = int(launches.size());
      b.last = int(launches.size());
    } else {
      hold(s);
    }
    launch.operands.push_back({id, std::size_t(t.offset()) * size_of(t.dtype()), t.shape(), t.dtype(), written});
  };
  for (const Tensor& t : reads) add(t, false);
  for (const Tensor& t : writes) add(t, true);
  launches.push_back(std::move(launch));
}

Device Recorder::device() const {
  Device device = kCpu;
  for (const auto& [id, s] : held)
    if (s->device().type != DeviceType::cpu) device = s->device();
  for (const auto& [id, b] : buffers)
    if (b.first >= 0 && b.device != device)
      throw_usage("StepPlan::record", std::string(launches[std::size_t(b.first)].name) + " works on " + b.device.str() + " in a step on " + device.str(),
                  "make the step's tensors where its inputs are: DeviceScope");
  return device;
}

namespace {

/// Ops check their arguments themselves, with better words; a plugin's own kernel may forget to, and would be given memory that it cannot reach.
void require_one_device(const char* name, std::span<const Tensor> reads, std::span<const Tensor> writes) {
  const Tensor& first = writes.empty() ? reads.front() : writes.front();
  for (const auto& operands : {reads, writes})
    for (const Tensor& t : operands)
      if (t.device() != first.device()) throw_usage(name, t.str() + " and " + first.str() + " are on different devices", "move one with .to(device)");
}

}  // namespace

void launch(const char* name, std::span<const Tensor> reads, std::span<const Tensor> writes, Kernel kernel) {
  if (!reads.empty() || !writes.empty()) require_one_device(name, reads, writes);
  if (const BackwardScope* scope = BackwardScope::current())
    for (const Tensor& t : reads) scope->require_unwritten(t);
  if (active) {
    active->record(name, reads, writes, std::move(kernel));
    for (const Tensor& t : writes) t.storage()->note_write(name);
    return;
  }
  std::array<void*, 16> few;
  std::vector<void*> many;
  void** p = few.data();
  if (reads.size() + writes.size() > few.size()) {
    many.resize(reads.size() + writes.size());
    p = many.data();
  }
  std::size_t i = 0;
  for (const Tensor& t : reads) p[i++] = t.raw();
  for (const Tensor& t : writes) {
    p[i++] = t.raw();
    t.storage()->note_write(name);
  }
  run_kernel(name, kernel, p);
}

void launch_elementwise(const char* name, std::initializer_list<Tensor> reads, const Tensor& out, Kernel kernel, ElementOp op) {
  launch(name, reads, {out}, std::move(kernel));
  if (active && out.is_contiguous()) active->launches.back().element = std::move(op);
}

struct StepPlan::Impl {
  struct Step {
    const char* name;
    Kernel kernel;
    std::vector<void*> pointers;
  };
  std::vector<Step> steps;
  std::vector<std::shared_ptr<Storage>> held;
  std::vector<Storage*> rewritten;  ///< of those, what each run writes though it is older than the step: parameters, running statistics
  std::vector<Storage*> results;    ///< of those, what was made in the step and holds nothing before the first run
  std::shared_ptr<Storage> arena, constants;
  std::size_t arena_bytes = 0, unshared = 0;
  ArenaUse fullest{};
  std::string text;
  Device device;
  // Of the device's graph. The first run goes launch by launch (libraries make their handles then), the second is captured.
  int runs = 0;
  std::unique_ptr<ReplayGraph> graph;
  std::string graph_text;

  explicit Impl(Recorder& r);
  void replay() const {
    for (const Step& s : steps) run_kernel(s.name, s.kernel, s.pointers.data());
  }
  void run();
  void launch_all();
};

namespace {

template <class Impl> Impl& recorded(const char* op, const std::unique_ptr<Impl>& impl) {
  if (!impl) throw_usage(op, "no step was recorded", "make the plan with StepPlan::record");
  return *impl;
}

struct Placement {
  std::uint64_t id;
  std::size_t bytes;
  int first, last;
  MemoryTag tag;
  std::size_t offset = 0;
};

/// Bytes by tag at the launch during which most are alive.
StepPlan::ArenaUse fullest_moment(const std::vector<Placement>& all, std::size_t launches) {
  std::vector<StepPlan::ArenaUse> change(launches + 1);  // begins less ends, modulo 2^64
  for (const Placement& p : all) {
    change[std::size_t(p.first)][std::size_t(p.tag)] += p.bytes;
    change[std::size_t(p.last) + 1][std::size_t(p.tag)] -= p.bytes;
  }
  StepPlan::ArenaUse now{}, best{};
  std::size_t most = 0;
  for (const StepPlan::ArenaUse& c : change) {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < now.size(); ++i) sum += now[i] += c[i];
    if (sum > most) most = sum, best = now;
  }
  return best;
}

/// Largest first, each at the lowest offset that is free during its whole life (greedy by size, Pisarchyk and Lee 2020).
std::size_t lay_out(std::vector<Placement>& all) {
  std::sort(all.begin(), all.end(), [](const Placement& a, const Placement& b) { return a.bytes != b.bytes ? a.bytes > b.bytes : a.id < b.id; });
  std::vector<const Placement*> placed;  // by offset
  std::size_t total = 0;
  for (Placement& p : all) {
    std::size_t at = 0;
    for (const Placement* q : placed) {
      if (q->last < p.first || q->first > p.last) continue;
      if (at + p.bytes <= q->offset) break;
      at = std::max(at, q->offset + q->bytes);
    }
    p.offset = at;
    placed.insert(std::upper_bound(placed.begin(), placed.end(), &p, [](auto* a, auto* b) { return a->offset < b->offset; }), &p);
    total = std::max(total, at + p.bytes);
  }
  return total;
}

std::string describe(std::size_t index, const Recorder::Launch& l, const std::unordered_map<std::uint64_t, std::size_t>& offsets) {
  std::string s = std::to_string(index) + "\t" + l.name + "\t";
  bool wrote = false;
  for (const Recorder::Operand& o : l.operands) {
    if (o.written && !wrote) s += " ->";
    wrote = o.written;
    auto it = offsets.find(o.storage);
    s += " " + std::string(name_of(o.dtype)) + o.shape.str() + (it == offsets.end() ? "" : "@" + std::to_string(it->second + o.byte_offset));
  }
  return s + "\n";
}

/// Kernels that do in one pass what ops said one by one would do in several.
struct Fusion {
  std::string_view kernel, what;  ///< of a name with a dot at its end: every kernel that begins so
};
constexpr Fusion kFusions[] = {
    {"conv.forward", "convolution and bias"},
    {"conv.weight_gradient", "gradients of weights and bias"},
    {"linear", "product and bias"},
    {"normalisation.apply", "normalisation, scale, shift and activation"},
    {"normalisation.gradient", "gradients of activation, scale and shift, and normalisation"},
    {"layer_norm", "statistics, normalisation, scale and shift"},
    {"layer_norm.gradient", "gradients of all of these"},
    {"rms_norm", "statistics, normalisation and scale"},
    {"rms_norm.gradient", "gradients of all of these"},
    {"softmax", "maximum, exponentials, sum and quotient"},
    {"cross_entropy", "log-softmax and the labels' sum"},
    {"dice_cross_entropy", "softmax, Dice and cross entropy"},
    {"scaled_dot_product_attention", "both products, mask and softmax; the scores are never stored"},
    {"scaled_dot_product_attention.gradient", "the scores again, and all gradients"},
    {"lstm", "every time step: product, gates and states"},
    {"lstm.gradient", "every time step backwards"},
    {"gru", "every time step: product, gates and states"},
    {"gru.gradient", "every time step backwards"},
    {"recurrent_layer", "every time step, with the input's share of the gates"},
    {"recurrent_layer.gradient", "every time step backwards, and all gradients"},
    {"casts", "weights in the step's type"},
    {"optimiser.", "every parameter in one pass over the flat arena"},
};

std::string fused(const std::vector<Recorder::Launch>& launches) {
  std::string text;
  for (const Fusion& f : kFusions) {
    const auto n = std::count_if(launches.begin(), launches.end(), [&](const Recorder::Launch& l) {
      const std::string_view name = l.name;
      return f.kernel.ends_with('.') ? name.starts_with(f.kernel) : name == f.kernel;
    });
    if (n > 0) text += "# fused: " + std::to_string(n) + " x " + std::string(f.kernel) + (f.kernel.ends_with('.') ? "*" : "") + ": " + std::string(f.what) + "\n";
  }
  std::map<std::string_view, int> chains;
  for (const Recorder::Launch& l : launches)
    if (l.joined > 1) ++chains[l.name];
  for (const auto& [name, n] : chains) text += "# fused: " + std::to_string(n) + " x " + std::string(name) + ": one pass over the elements\n";
  return text;
}

}  // namespace

StepPlan::Impl::Impl(Recorder& r) {
  // The recording is over: what someone outside still holds gets its own memory, the rest goes to the arena.
  active = nullptr;
  std::unordered_map<std::uint64_t, void*> address;
  std::vector<Placement> placements;
  device = r.device();
  const std::size_t alignment = arena_alignment(device);
  const auto padded = [&](std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; };
  const std::vector<Recorder::Launch> once = simplify(r);
  std::unordered_set<std::uint64_t> written;
  for (const Recorder::Launch& l : r.launches)
    for (const Recorder::Operand& o : l.operands)
      if (o.written) written.insert(o.storage);
  std::unordered_map<std::uint64_t, std::size_t> constant;  // offsets
  std::size_t constant_bytes = 0;
  for (const Recorder::Launch& l : once) {
    const std::uint64_t id = l.operands.back().storage;
    constant[id] = constant_bytes;
    constant_bytes += padded(r.buffers.at(id).bytes);
  }
  for (auto& [id, b] : r.buffers) {
    if (auto s = b.storage.lock()) {
      if (!s->data() && written.count(id)) {
        s->set_awaits_run(true);
        results.push_back(s.get());
      }
      s->materialise();
      r.hold(s);
    } else if (b.first >= 0 && !constant.count(id)) {
      placements.push_back({id, padded(b.bytes), b.first, b.last, b.tag == MemoryTag::other ? MemoryTag::activations : b.tag});
      unshared += placements.back().bytes;
    }
  }
  arena_bytes = lay_out(placements);
  fullest = fullest_moment(placements, r.launches.size());
  for (auto& [id, s] : r.held) {
    address[id] = s->data();
    held.push_back(s);
    if (written.count(id) && !r.buffers.count(id)) rewritten.push_back(s.get());
  }
  {
    MemoryScope tag(MemoryTag::activations);
    arena = std::make_shared<Storage>(std::max(arena_bytes, alignment), device);
    if (!once.empty()) constants = std::make_shared<Storage>(std::max(constant_bytes, alignment), device);
  }
  for (const auto& [id, offset] : constant) address[id] = static_cast<std::byte*>(constants->data()) + offset;
  std::unordered_map<std::uint64_t, std::size_t> offsets;
  for (const Placement& p : placements) {
    offsets[p.id] = p.offset;
    address[p.id] = static_cast<std::byte*>(arena->data()) + p.offset;
  }
  const auto pointers_of = [&](const Recorder::Launch& l) {
    std::vector<void*> all;
    for (const Recorder::Operand& o : l.operands) all.push_back(static_cast<std::byte*>(address.at(o.storage)) + o.byte_offset);
    return all;
  };
  for (const Recorder::Launch& l : once) run_kernel(l.name, l.kernel, pointers_of(l).data());
  steps.reserve(r.launches.size());
  const std::string fusions = fused(r.launches);
  for (std::size_t i = 0; i < r.launches.size(); ++i) {
    Recorder::Launch& l = r.launches[i];
    text += describe(i, l, offsets);
    std::vector<void*> pointers = pointers_of(l);
    steps.push_back({l.name, std::move(l.kernel), std::move(pointers)});
  }
  text += fusions;
  if (!once.empty()) text += "# once: " + std::to_string(once.size()) + " launches of constants, " + std::to_string(constant_bytes) + " bytes beside the arena\n";
}

StepPlan::StepPlan() = default;
StepPlan::StepPlan(StepPlan&&) noexcept = default;
StepPlan& StepPlan::operator=(StepPlan&&) noexcept = default;
StepPlan::~StepPlan() = default;

StepPlan StepPlan::record(const std::function<void()>& step) {
  if (!step) throw_usage("StepPlan::record", "no step was given");
  StepPlan plan;
  Recorder recorder;
  step();
  plan.impl_ = std::make_unique<Impl>(recorder);
  return plan;
}

void StepPlan::run() const {
  Impl& plan = recorded("StepPlan::run", impl_);
  if (active) throw_usage("StepPlan::run", "a step is being recorded on this thread, and a plan cannot be part of another");
  plan.run();
}

void StepPlan::Impl::run() {
  for (Storage* s : rewritten) s->note_write("StepPlan::run");
  launch_all();
  for (Storage* s : results) s->set_awaits_run(false);
  results.clear();
}

void StepPlan::Impl::launch_all() {
  const CaptureFn& capture = captures()[std::size_t(device.type)];
  if (!capture || current_launch_watch()) {
    replay();
    return;
  }
  if (++runs == 2) {
    std::string reason;
    graph = capture([this] { replay(); }, reason);
    graph_text = graph ? graph->describe() : "launched one by one: " + reason;
  }
  if (graph) graph->launch();
  else replay();
}

std::size_t StepPlan::arena_bytes() const { return recorded("StepPlan::arena_bytes", impl_).arena_bytes; }
const StepPlan::ArenaUse& StepPlan::arena_use() const { return recorded("StepPlan::arena_use", impl_).fullest; }
std::size_t StepPlan::unshared_bytes() const { return recorded("StepPlan::unshared_bytes", impl_).unshared; }
std::size_t StepPlan::launches() const { return recorded("StepPlan::launches", impl_).steps.size(); }
const std::string& StepPlan::replay_note() const { return recorded("StepPlan::replay_note", impl_).graph_text; }
std::string StepPlan::explain() const {
  const Impl& plan = recorded("StepPlan::explain", impl_);
  std::string text = plan.graph_text.empty() ? plan.text : "# " + plan.graph_text + "\n" + plan.text;
  if (plan.device.type != DeviceType::cpu)
    for (const std::string& choice : device_choices()) text += "# chosen: " + choice + "\n";
  return text;
}

std::vector<std::pair<std::string, double>> StepPlan::profile() const {
  std::vector<std::pair<std::string, double>> times;
  LaunchWatch watch([&](const LaunchTime& t) { times.emplace_back(t.name, t.seconds); });
  run();
  return times;
}

}  // namespace tenon

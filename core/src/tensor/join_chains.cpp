#include "tensor/join_chains.hpp"

#include <mutex>
#include <set>
#include <string>

#include "ops/chain.hpp"
#include "ops/strided_axes.hpp"

namespace tenon {
namespace {

using Launch = Recorder::Launch;
using Operand = Recorder::Operand;

/// Ops on tensors of at most so many elements are joined though they share nothing: what they save is a launch.
constexpr std::int64_t kSmall = 1 << 16;
/// Rows of at least so many elements cost nothing to speak of; whole results of so few cost a launch in any case.
constexpr std::int64_t kShortRow = 64, kFewElements = 4096;

bool is_held(DType t, DType computed) {
  return t == DType::boolean || (computed == DType::f64 ? t == DType::f64 : t == DType::f32 || t == DType::f16 || t == DType::bf16);
}

/// The type in which a chain would compute this launch; nothing where chains do not hold it.
std::optional<DType> computed_of(const Launch& l) {
  if (!l.element || l.element->kind == ElementOp::Kind::fill || l.operands.back().shape.numel() == 0) return {};
  const ElementOp& op = *l.element;
  if (op.kind == ElementOp::Kind::unary && !joins(kernels::Unary(op.code))) return {};
  if (op.kind == ElementOp::Kind::binary && !joins(kernels::Binary(op.code))) return {};
  const DType first = l.operands[op.kind == ElementOp::Kind::choose ? 1 : 0].dtype, result = l.operands.back().dtype;
  const DType computed = first == DType::f64 || (first == DType::boolean && result == DType::f64) ? DType::f64 : DType::f32;
  for (const Operand& o : l.operands)
    if (!is_held(o.dtype, computed) || (!o.written && o.storage == l.operands.back().storage)) return {};
  // a flag is chosen by, made by a comparison, or converted; it is not computed with
  const bool flags = first == DType::boolean || (result == DType::boolean && !(op.kind == ElementOp::Kind::binary && kernels::is_comparison(kernels::Binary(op.code))));
  if (flags && !(op.kind == ElementOp::Kind::convert && first == DType::boolean && result != DType::boolean)) return {};
  return computed;
}

/// A chain that is being put together from neighbouring launches.
class Joining {
 public:
  Joining(const Recorder& r, const std::unordered_set<StorageId>& outside, const Roots& root) : outside_(outside), root_(root) {
    for (std::size_t i = 0; i < r.launches.size(); ++i)
      for (const Operand& o : r.launches[i].operands)
        if (finds(r.launches[i], o)) last_read_[o.storage] = i;
  }

  std::size_t size() const { return members_.size(); }

  /// Whether launch `i` could follow those that are here, and adds it where it could. `l` stays where it is.
  bool add(const Launch& l, std::size_t i) {
    const std::optional<DType> computed = computed_of(l);
    if (!computed) return false;
    if (!members_.empty() && (*computed != computed_ || !(squeezed(l.operands.back().shape, l.operands.back().shape) == shape_) || clashes(l))) return false;
    if (members_.empty()) {
      computed_ = *computed;
      shape_ = squeezed(l.operands.back().shape, l.operands.back().shape);
    }
    members_.push_back({&l, i});
    if (build() && (members_.size() == 1 || is_long(l))) return true;
    members_.pop_back();
    return false;
  }

  /// One launch for all of them: there are at least two.
  Launch joined(Device device) {
    build();
    std::string name;
    for (const Member& m : members_) name += (name.empty() ? "" : "+") + std::string(m.launch->name);
    Launch out{lasting(name), {}, chain_kernel(device, chain_)};
    out.operands = inputs_;
    out.operands.insert(out.operands.end(), outputs_.begin(), outputs_.end());
    out.joined = int(members_.size());
    return out;
  }

  void clear() { members_.clear(); }

 private:
  struct Member {
    const Launch* launch;
    std::size_t index;
  };
  struct Value {
    const Operand* place;  ///< where it would lie in memory
    int input = -1, step = -1;
    int last_use = -1;  ///< step
    bool output = false;
    int at = -1;  ///< register
  };

  /// Names are told to profilers long after the plan.
  static const char* lasting(const std::string& name) {
    static std::mutex mutex;
    static std::set<std::string> all;
    const std::lock_guard lock(mutex);
    return all.insert(name).first->c_str();
  }

  static bool same_place(const Operand& a, const Operand& b) { return a.storage == b.storage && a.byte_offset == b.byte_offset && a.dtype == b.dtype; }

  /// What is written here is read as a whole, in its own order, or not at all; and nothing is written twice or over what was read.
  bool clashes(const Launch& l) const {
    const Operand& out = l.operands.back();
    bool shares = false;
    for (const Member& m : members_) {
      const Operand& before = m.launch->operands.back();
      for (std::size_t k = 0; k + 1 < l.operands.size(); ++k) {
        const Operand& o = l.operands[k];
        if (root_(o.storage) == root_(before.storage)) {
          if (!same_place(o, before) || !(squeezed(out.shape, l.element->strides[k]) == shape_.contiguous_strides())) return true;
          shares = true;
        }
        for (std::size_t j = 0; j + 1 < m.launch->operands.size(); ++j) shares = shares || same_place(o, m.launch->operands[j]);
      }
      for (const Operand& o : m.launch->operands)
        if (root_(o.storage) == root_(out.storage)) return true;
    }
    return !shares && out.shape.numel() > kSmall;
  }

  /// Length of the innermost axis over which one pass with these operands would run.
  static std::int64_t run_length(const Shape& shape, const std::vector<Chain::Input>& inputs) {
    std::array<Shape, Chain::kInputs + 1> strides;
    for (Shape& s : strides) s = shape.contiguous_strides();
    for (std::size_t k = 0; k < inputs.size(); ++k) strides[k] = inputs[k].strides;
    const StridedAxes<Chain::kInputs + 1> axes(shape, strides);
    return axes.sizes[std::size_t(axes.rank - 1)];
  }

  /// A broadcast operand cuts the pass of all members into rows of its own: not where those are short and the members' own are not.
  bool is_long(const Launch& last) const {
    const std::int64_t together = run_length(shape_, chain_.inputs);
    if (together >= kShortRow || last.operands.back().shape.numel() <= kFewElements) return true;
    return std::all_of(members_.begin(), members_.end(), [&](const Member& m) {
      std::vector<Chain::Input> own;
      for (std::size_t k = 0; k + 1 < m.launch->operands.size(); ++k) own.push_back({squeezed(m.launch->operands.back().shape, m.launch->element->strides[k]), DType::f32});
      return run_length(shape_, own) <= together;
    });
  }

  /// The chain of all members, as if nothing came after them; false where it asks for more than a chain has.
  bool build() {
    chain_ = Chain{};
    chain_.shape = shape_;
    chain_.computed = computed_;
    inputs_.clear();
    outputs_.clear();
    std::vector<Value> values;
    std::vector<std::array<int, 3>> reads;  // values, by step
    for (std::size_t s = 0; s < members_.size(); ++s) {
      const Launch& l = *members_[s].launch;
      std::array<int, 3> from{-1, -1, -1};
      for (std::size_t k = 0; k + 1 < l.operands.size(); ++k) {
        const Operand& o = l.operands[k];
        const Shape strides = squeezed(l.operands.back().shape, l.element->strides[k]);
        int found = -1;
        for (std::size_t v = 0; v < values.size() && found < 0; ++v)
          if (same_place(*values[v].place, o) && (values[v].step >= 0 || chain_.inputs[std::size_t(values[v].input)].strides == strides)) found = int(v);
        if (found < 0) {
          if (inputs_.size() == Chain::kInputs) return false;
          found = int(values.size());
          values.push_back({&o, int(inputs_.size())});
          inputs_.push_back(o);
          chain_.inputs.push_back({strides, o.dtype});
        }
        values[std::size_t(found)].last_use = int(s);
        from[k] = found;
      }
      reads.push_back(from);
      const Operand& out = l.operands.back();
      values.push_back({&out, -1, int(s), int(s), is_wanted(out.storage)});
    }
    if (members_.size() > Chain::kSteps) return false;
    return give_registers(values, reads);
  }

  bool is_wanted(StorageId storage) const {
    if (outside_.count(storage)) return true;
    const auto it = last_read_.find(storage);
    return it != last_read_.end() && it->second > members_.back().index;
  }

  bool give_registers(std::vector<Value>& values, const std::vector<std::array<int, 3>>& reads) {
    std::array<bool, Chain::kRegisters> taken{};
    const auto take = [&](Value& v) {
      const auto free = std::find(taken.begin(), taken.end(), false);
      if (free == taken.end()) return false;
      *free = true;
      v.at = int(free - taken.begin());
      chain_.registers = std::max(chain_.registers, v.at + 1);
      return true;
    };
    for (Value& v : values)
      if (v.input >= 0 && !take(v)) return false;
    for (std::size_t s = 0; s < members_.size(); ++s) {
      const Launch& l = *members_[s].launch;
      Value& result = *std::find_if(values.begin(), values.end(), [&](const Value& v) { return v.step == int(s); });
      if (!take(result)) return false;
      Chain::Step step{l.element->kind, l.element->code, l.element->args, l.operands.back().dtype, {}, result.at};
      for (std::size_t k = 0; k < 3; ++k)
        if (reads[s][k] >= 0) step.from[k] = values[std::size_t(reads[s][k])].at;
      if (result.output) {
        if (outputs_.size() == Chain::kOutputs) return false;
        step.output = int(outputs_.size());
        outputs_.push_back(*result.place);
        chain_.outputs.push_back(result.place->dtype);
        chain_.output_registers.push_back(result.at);
      }
      chain_.steps.push_back(step);
      for (const Value& v : values)
        if (v.at >= 0 && !v.output && v.last_use == int(s)) taken[std::size_t(v.at)] = false;
    }
    return true;
  }

  const std::unordered_set<StorageId>& outside_;
  const Roots& root_;
  std::unordered_map<StorageId, std::size_t> last_read_;
  std::vector<Member> members_;
  Shape shape_;
  DType computed_ = DType::f32;
  Chain chain_;
  std::vector<Operand> inputs_, outputs_;
};

}  // namespace

void join_chains(Recorder& r, const std::unordered_set<StorageId>& outside, const Roots& root, Device device) {
  Joining chain(r, outside, root);
  std::vector<Launch> out;
  std::size_t begin = 0;  // of the launches that are in the chain
  const auto close = [&](std::size_t end) {
    if (chain.size() > 1) out.push_back(chain.joined(device));
    else
      for (std::size_t i = begin; i < end; ++i) out.push_back(std::move(r.launches[i]));
    chain.clear();
    begin = end;
  };
  for (std::size_t i = 0; i < r.launches.size(); ++i) {
    if (chain.add(r.launches[i], i)) continue;
    close(i);
    if (!chain.add(r.launches[i], i)) close(i + 1);
  }
  close(r.launches.size());
  r.launches = std::move(out);
}

}  // namespace tenon

/// One pass of attention, tried out: on operands of its own, against what this library's kernels make of them (private).
#pragma once

#include <vector>

#include "backend/cuda/library/attention_tune.hpp"
#include "backend/cuda/library/plan_trial.cuh"
#include "ops/attention_mma.cuh"

namespace tenon::cuda {

class AttentionTrial {
 public:
  AttentionTrial(const Attention& p, AttentionPass pass)
      : p_(p),
        pass_(pass),
        read_{operand(p.q, p.queries, p.depth), operand(p.k, p.keys, p.depth), operand(p.v, p.keys, p.features)},
        own_workspace_(own_attention_workspace(p, pass)) {
    for (unsigned i = 0; i < 3; ++i) noise(*read_[i], p.dtype, i + 1);
    if (pass == AttentionPass::forward) {
      wanted_ = results();
      result_ = results();
      types_ = {p.dtype, DType::f32};
    } else {
      const Memories forward = results();
      read_.insert(read_.end(), forward.begin(), forward.end());
      make_own_attention(p)(pointers(read_, {}).data());
      read_.push_back(operand(p.out(), p.queries, p.features));
      noise(*read_.back(), p.dtype, 4);
      wanted_ = gradients();
      result_ = gradients();
      types_ = {p.dtype, p.dtype, p.dtype};
    }
    own_ = pass == AttentionPass::forward ? make_own_attention(p) : make_own_attention_gradient(p);
    run_own();
  }

  double own_microseconds() {
    return watch_.microseconds([&] { run_own(); });
  }

  /// Negative where the candidate fails or does not compute the same.
  double microseconds(const AttentionChoice& c) {
    try {
      const Scratch workspace(c.plan.workspace);
      workspace.spoil();  // nobody clears it later
      const std::vector<void*> operands = pointers(read_, result_);
      auto enqueue = [&] { run_attention_choice(c, p_, pass_, operands.data(), workspace.get()); };
      for (const auto& r : result_) r->spoil();
      enqueue();
      for (std::size_t i = 0; i < result_.size(); ++i)
        if (!(difference(*result_[i], *wanted_[i], types_[i]) <= (size_of(types_[i]) == 2 ? kFarIn16Bits : kFarLogSum))) return -1;
      return watch_.microseconds(enqueue);
    } catch (const Error& e) {
      pass_over(e);
      return -1;
    }
  }

 private:
  using Memories = std::vector<std::shared_ptr<Scratch>>;
  static constexpr double kFarLogSum = 1e-8;  // NMSE; in f32 both are much nearer

  /// As much as its strides span.
  std::shared_ptr<Scratch> operand(const AttentionStrides& s, std::int64_t rows, std::int64_t width) const {
    const std::int64_t last = s.offset + (p_.samples - 1) * s.sample + (rows - 1) * s.row + (p_.heads - 1) * s.head + width;
    auto memory = std::make_shared<Scratch>(std::size_t(last) * size_of(p_.dtype));
    memory->spoil();  // places between the rows, if any
    return memory;
  }
  Memories results() const {
    return {operand(p_.out(), p_.queries, p_.features), std::make_shared<Scratch>(std::size_t(p_.samples * p_.heads * p_.queries) * 4)};
  }
  Memories gradients() const {
    return {operand(p_.q, p_.queries, p_.depth), operand(p_.k, p_.keys, p_.depth), operand(p_.v, p_.keys, p_.features)};
  }

  static std::vector<void*> pointers(const Memories& read, const Memories& written) {
    std::vector<void*> all;
    for (const Memories* m : {&read, &written})
      for (const auto& memory : *m) all.push_back(memory->get());
    return all;
  }

  void run_own() {
    std::vector<void*> all = pointers(read_, wanted_);
    all.push_back(own_workspace_.get());
    own_(all.data());
  }

  Attention p_;
  AttentionPass pass_;
  Memories read_, wanted_, result_;
  std::vector<DType> types_;
  Scratch own_workspace_;
  Kernel own_;
  Stopwatch watch_;
};

}  // namespace tenon::cuda

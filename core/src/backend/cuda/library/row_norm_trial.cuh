/// One pass of a norm of rows, tried out: on operands of its own, against what this library's kernels make of them (private).
#pragma once

#include <vector>

#include "backend/cuda/library/plan_trial.cuh"
#include "backend/cuda/library/row_norm_tune.hpp"

namespace tenon::cuda {

class RowNormTrial {
 public:
  explicit RowNormTrial(const CudnnRowNorm& q) : q_(q), partial_(is_gradient(q.pass) ? partial_bytes() : 0) {
    const RowNorm& p = q.all;
    const bool rms = is_rms(q.pass);
    add(read_, p.dtype, p.rows * p.channels);
    noise(*read_[0].memory, p.dtype, 1, kMiddle);
    if (!is_gradient(q.pass)) {
      add_parameters(rms ? 1 : 2);
      add(wanted_, p.dtype, p.rows * p.channels);
      for (int i = rms ? 1 : 0; i < 2; ++i) add(wanted_, DType::f32, p.rows);
    } else {
      const Memories statistics = statistics_of_x();
      add(read_, p.dtype, p.rows * p.channels);
      noise(*read_[1].memory, p.dtype, 2);
      read_.insert(read_.end(), statistics.begin(), statistics.end());
      add_parameters(1);
      add(wanted_, p.dtype, p.rows * p.channels);
      for (int i = rms ? 1 : 0; i < 2; ++i) add(wanted_, DType::f32, p.channels);
    }
    for (const Operand& w : wanted_) add(result_, w.type, std::int64_t(w.memory->bytes() / size_of(w.type)));
    own_ = own_row_norm(p, q.pass);
    run_own();
  }

  double own_microseconds() {
    return watch_.microseconds([&] { run_own(); });
  }

  /// Negative where the candidate fails or does not compute the same.
  double microseconds(const PlanChoice& c) {
    try {
      const Scratch workspace(c.plan.workspace);
      workspace.spoil();  // nobody clears it later
      const std::vector<void*> operands = pointers(read_, result_);
      auto enqueue = [&] { run_row_norm_choice(c, q_.pass, operands.data(), workspace.get()); };
      for (const Operand& r : result_) r.memory->spoil();
      enqueue();
      for (std::size_t i = 0; i < result_.size(); ++i)
        if (!(difference(*result_[i].memory, *wanted_[i].memory, result_[i].type) <=
              (size_of(result_[i].type) == 2 ? kFarIn16Bits : kFarInF32)))
          return -1;
      return watch_.microseconds(enqueue);
    } catch (const Error& e) {
      pass_over(e);
      return -1;
    }
  }

 private:
  static constexpr double kFarInF32 = 1e-10;  // NMSE
  /// Rows lie about it: a variance that is taken for the mean of squares less the square of the mean is then too far off.
  static constexpr float kMiddle = 30;

  struct Operand {
    DType type;
    std::shared_ptr<Scratch> memory;
  };
  using Memories = std::vector<Operand>;

  static void add(Memories& to, DType type, std::int64_t count) {
    to.push_back({type, std::make_shared<Scratch>(std::size_t(count) * size_of(type))});
  }
  void add_parameters(unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      add(read_, DType::f32, q_.all.channels);
      noise(*read_.back().memory, DType::f32, 3 + i);
    }
  }
  /// f64 for layer norm, f32 for RMS norm.
  std::size_t partial_bytes() const { return std::size_t(q_.all.blocks() * q_.all.channels) * (is_rms(q_.pass) ? 4 : 16); }

  /// Mean, except for RMS norm, and reciprocal deviation of the rows of x, by our own kernel.
  Memories statistics_of_x() {
    const bool rms = is_rms(q_.pass);
    Memories read{read_[0]}, made;
    for (int i = rms ? 1 : 0; i < 2; ++i) add(read, DType::f32, q_.all.channels);
    for (std::size_t i = 1; i < read.size(); ++i) noise(*read[i].memory, DType::f32, 5);
    add(made, q_.all.dtype, q_.all.rows * q_.all.channels);
    for (int i = rms ? 1 : 0; i < 2; ++i) add(made, DType::f32, q_.all.rows);
    std::vector<void*> operands;
    for (const Memories* m : {&read, &made})
      for (const Operand& o : *m) operands.push_back(o.memory->get());
    own_row_norm(q_.all, rms ? RowNormPass::rms : RowNormPass::layer)(operands.data());
    made.erase(made.begin());
    return made;
  }

  /// As the slot has them; `written` is without the partial sums.
  std::vector<void*> pointers(const Memories& read, const Memories& written) const {
    std::vector<void*> all;
    for (const Memories* m : {&read, &written})
      for (const Operand& o : *m) {
        if (int(all.size()) == row_norm_operands(q_.pass).partial) all.push_back(partial_.get());
        all.push_back(o.memory->get());
      }
    return all;
  }

  void run_own() { own_(pointers(read_, wanted_).data()); }

  CudnnRowNorm q_;
  Memories read_, wanted_, result_;
  Scratch partial_;
  Kernel own_;
  Stopwatch watch_;
};

}  // namespace tenon::cuda

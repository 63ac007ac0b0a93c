/// One pass of one convolution, tried out: on operands of its own, against what this library's kernels make of them (private).
#pragma once

#include <algorithm>
#include <array>

#include "backend/cuda/conv_own.hpp"
#include "backend/cuda/library/conv_tune.hpp"
#include "backend/cuda/library/plan_trial.cuh"

namespace tenon::cuda {

/// One pass of one geometry on operands of its own, and what this library's kernels make of them.
class ConvTrial {
 public:
  ConvTrial(const ConvGeometry& g, ConvPass pass, bool bias, bool tf32)
      : g_(g),
        pass_(pass),
        half_(size_of(g.dtype) == 2),
        weight_pass_(pass == ConvPass::weight_gradient),
        x_(g.batch * g.in_voxels() * g.in_channels),
        y_(g.batch * g.out_voxels() * g.out_channels),
        results_(weight_pass_                ? g.weights()
                 : pass == ConvPass::forward ? y_
                                             : x_),
        result_type_(weight_pass_ ? DType::f32 : g.dtype),
        first_(std::size_t(pass == ConvPass::input_gradient ? y_ : x_) * size_of(g.dtype)),
        second_(weight_pass_ ? std::size_t(y_) * size_of(g.dtype) : std::size_t(g.weights()) * 4),
        bias_(std::size_t(std::max(g.in_channels, g.out_channels)) * 4),
        wanted_(std::size_t(results_) * size_of(result_type_)),
        result_(std::size_t(results_) * size_of(result_type_)),
        own_workspace_(own_conv_buffers(g, pass, ConvSums::none).workspace),
        own_(weight_pass_ ? own_conv_weights(g, ConvSums::none) : own_conv(g, pass, bias)),
        with_bias_(bias),
        tf32_(tf32) {
    noise(first_, g.dtype, 1);
    noise(second_, weight_pass_ ? g.dtype : DType::f32, 2);
    noise(bias_, DType::f32, 3);
    run_own();
  }

  double own_microseconds() {
    return watch_.microseconds([&] { run_own(); });
  }

  /// Negative where the candidate fails or does not compute the same.
  double microseconds(const ConvChoice& c) {
    const Scratch workspace(conv_choice_workspace(c, g_, pass_));
    workspace.spoil();  // nobody clears it later
    const bool packing = half_ && !weight_pass_;
    Scratch packed(packing ? conv_choice_weights(c, g_) : 0);
    if (packing) pack_conv_choice(c, g_, second_.get(), packed.get());
    auto enqueue = [&] {
      run_conv_choice(c, g_, pass_, first_.get(), packing ? packed.get() : second_.get(),
                      with_bias_ ? bias_.get() : nullptr, result_.get(), workspace.get());
    };
    return checked_microseconds(enqueue, half_ ? kFarIn16Bits : tf32_ ? 1e-5 : 1e-10);
  }

  /// Of our own kernel on tensor cores, where it fits; negative as above.
  double tensor_microseconds() {
    const Scratch workspace(own_conv_buffers(g_, pass_, ConvSums::none, true).workspace);
    workspace.spoil();
    const Kernel kernel = weight_pass_ ? own_conv_weights(g_, ConvSums::none, true) : own_conv(g_, pass_, with_bias_, true);
    const auto operands = operands_of(result_, workspace);
    // sums in f32 of exact products; else weights and results are rounded to 8 bits
    return checked_microseconds([&] { kernel(operands.data()); }, weight_pass_ ? 1e-6 : 1e-4);
  }

 private:
  template <class F>
  double checked_microseconds(const F& enqueue, double far) {
    try {
      result_.spoil();
      enqueue();
      if (!(difference(result_, wanted_, result_type_) <= far)) return -1;
      return watch_.microseconds(enqueue);
    } catch (const Error& e) {
      pass_over(e);
      return -1;
    }
  }

  std::array<void*, 5> operands_of(const Scratch& result, const Scratch& workspace) const {
    std::array<void*, 5> p{first_.get(), second_.get()};
    std::size_t at = 2;
    if (with_bias_) p[at++] = bias_.get();
    p[at++] = result.get();
    p[at] = workspace.get();
    return p;
  }
  void run_own() { own_(operands_of(wanted_, own_workspace_).data()); }

  ConvGeometry g_;
  ConvPass pass_;
  bool half_, weight_pass_;
  std::int64_t x_, y_, results_;
  DType result_type_;
  Scratch first_, second_, bias_, wanted_, result_, own_workspace_;
  Kernel own_;
  bool with_bias_, tf32_;
  Stopwatch watch_;
};

}  // namespace tenon::cuda

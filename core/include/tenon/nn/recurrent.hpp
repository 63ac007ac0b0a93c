/// Stacks of recurrent layers, [N, T, F] -> [N, T, H] (2 H bidirectional). Names, shapes and meaning of the weights are PyTorch's.
#pragma once

#include "tenon/nn/dropout.hpp"

namespace tenon::nn {

struct RecurrentStackOptions {
  std::int64_t layers = 1;
  bool bidirectional = false, bias = true;
  double dropout = 0;  ///< of the outputs of every layer but the last
};

/// What Lstm and Gru share: parameters weight_ih_l0 [G H, F], weight_hh_l0 [G H, H], bias_ih_l0, bias_hh_l0 [G H], for the backward
/// direction with
/// "_reverse" behind; first values uniform within 1 / sqrt(H).
class TENON_API RecurrentStack : public Module {
 public:
  /// x [N, T, F] -> y [N, T, H], from states of 0. For the last step's output take y.select(1, T - 1).
  Tensor forward(const Tensor& x) override;
  /// {x, h_0, (c_0)} -> {y, h_T, (c_T)}; states [layers (x 2), N, H], layer by layer, forward before backward. {x} alone begins with 0.
  std::vector<Tensor> forward_all(const std::vector<Tensor>& inputs) override;
  /// The same for sequences of different lengths: `lengths` i64 [N], outputs past a sample's end are 0 (see recurrent.hpp).
  std::vector<Tensor> forward_all(const std::vector<Tensor>& inputs, const Tensor& lengths);

 protected:
  RecurrentStack(const char* name, std::int64_t gates, std::int64_t features, std::int64_t hidden, RecurrentStackOptions options);

  struct Weights {
    Tensor ih, hh, bias_ih, bias_hh;
  };
  /// One layer in one direction: x and its first states (perhaps undefined) -> y and last states.
  virtual std::vector<Tensor> run(const Tensor& x, const std::vector<Tensor>& states, const Weights& w, bool reverse,
                                  const Tensor& lengths) const = 0;

 private:
  /// y; the last states, one list a kind of state, where `last` is given.
  Tensor through(const std::vector<Tensor>& inputs, const Tensor& lengths, std::vector<std::vector<Tensor>>* last);
  const char* name_;
  std::int64_t states_;
  RecurrentStackOptions options_;
  std::vector<Weights> weights_;  ///< layer by layer, forward before backward
  std::vector<std::shared_ptr<Dropout>> dropouts_;
};

class TENON_API Lstm : public RecurrentStack {
 public:
  Lstm(std::int64_t features, std::int64_t hidden, RecurrentStackOptions options = {});

 private:
  std::vector<Tensor> run(const Tensor& x, const std::vector<Tensor>& states, const Weights& w, bool reverse,
                          const Tensor& lengths) const override;
};

class TENON_API Gru : public RecurrentStack {
 public:
  Gru(std::int64_t features, std::int64_t hidden, RecurrentStackOptions options = {});

 private:
  std::vector<Tensor> run(const Tensor& x, const std::vector<Tensor>& states, const Weights& w, bool reverse,
                          const Tensor& lengths) const override;
};

}  // namespace tenon::nn

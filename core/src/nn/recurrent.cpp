#include "tenon/nn/recurrent.hpp"

#include <cmath>

#include "tenon/error.hpp"
#include "tenon/ops.hpp"
#include "tenon/recurrent.hpp"

namespace tenon::nn {

RecurrentStack::RecurrentStack(const char* name, std::int64_t gates, std::int64_t features, std::int64_t hidden,
                               RecurrentStackOptions options)
    : name_(name), states_(gates == 4 ? 2 : 1), options_(options) {
  if (features < 1 || hidden < 1 || options.layers < 1)
    throw_usage(name, std::to_string(options.layers) + " layers of " + std::to_string(features) + " features, " + std::to_string(hidden) +
                          " hidden units");
  const std::int64_t directions = options.bidirectional ? 2 : 1;
  const Init init{Init::Kind::uniform, 1 / std::sqrt(double(hidden))};
  for (std::int64_t layer = 0; layer < options.layers; ++layer) {
    for (std::int64_t direction = 0; direction < directions; ++direction) {
      const std::string end = "_l" + std::to_string(layer) + (direction ? "_reverse" : "");
      Weights w;
      w.ih = add_parameter("weight_ih" + end, {gates * hidden, layer ? directions * hidden : features}, init);
      w.hh = add_parameter("weight_hh" + end, {gates * hidden, hidden}, init);
      if (options.bias) {
        w.bias_ih = add_parameter("bias_ih" + end, {gates * hidden}, init);
        w.bias_hh = add_parameter("bias_hh" + end, {gates * hidden}, init);
      }
      weights_.push_back(std::move(w));
    }
    if (options.dropout > 0 && layer + 1 < options.layers)
      dropouts_.push_back(add_module("dropout_l" + std::to_string(layer), std::make_shared<Dropout>(options.dropout)));
  }
}

Tensor RecurrentStack::forward(const Tensor& x) {
  return through({x}, {}, nullptr);
}

std::vector<Tensor> RecurrentStack::forward_all(const std::vector<Tensor>& inputs) {
  return forward_all(inputs, {});
}

std::vector<Tensor> RecurrentStack::forward_all(const std::vector<Tensor>& inputs, const Tensor& lengths) {
  std::vector<std::vector<Tensor>> last(static_cast<std::size_t>(states_));
  std::vector<Tensor> all{through(inputs, lengths, &last)};
  for (const auto& states : last) all.push_back(concat(states, 0));
  return all;
}

Tensor RecurrentStack::through(const std::vector<Tensor>& inputs, const Tensor& lengths, std::vector<std::vector<Tensor>>* last) {
  if (inputs.size() != 1 && inputs.size() != std::size_t(1 + states_))
    throw_usage(name_, std::to_string(inputs.size()) + " inputs", "give x alone, or x and " + std::to_string(states_) + " first states");
  const auto cells = std::int64_t(weights_.size());
  for (std::size_t k = 1; k < inputs.size(); ++k)
    if (inputs[k].rank() != 3 || inputs[k].size(0) != cells)
      throw_usage(name_, "a first state " + inputs[k].str(),
                  "states are [" + std::to_string(cells) + ", N, H]: one for each layer and direction");
  Tensor x = inputs[0];
  std::size_t cell = 0;
  for (std::size_t layer = 0; cell < weights_.size(); ++layer) {
    std::vector<Tensor> outputs;
    for (int direction = 0; direction < (options_.bidirectional ? 2 : 1); ++direction, ++cell) {
      std::vector<Tensor> first(static_cast<std::size_t>(states_));
      for (std::size_t k = 1; k < inputs.size(); ++k) first[k - 1] = inputs[k].select(0, std::int64_t(cell));
      std::vector<Tensor> out = run(x, first, weights_[cell], direction == 1, lengths);
      outputs.push_back(out[0]);
      for (std::size_t k = 0; last && k < last->size(); ++k) (*last)[k].push_back(out[k + 1].unsqueeze(0));
    }
    x = outputs.size() == 1 ? outputs[0] : concat(outputs, -1);
    if (layer < dropouts_.size()) x = dropouts_[layer]->forward(x);
  }
  return x;
}

Lstm::Lstm(std::int64_t features, std::int64_t hidden, RecurrentStackOptions options)
    : RecurrentStack("Lstm", 4, features, hidden, options) {}
std::vector<Tensor> Lstm::run(const Tensor& x, const std::vector<Tensor>& s, const Weights& w, bool reverse, const Tensor& lengths) const {
  return lstm(x, s[0], s[1], w.ih, w.hh, w.bias_ih, w.bias_hh, {reverse, lengths});
}

Gru::Gru(std::int64_t features, std::int64_t hidden, RecurrentStackOptions options) : RecurrentStack("Gru", 3, features, hidden, options) {}
std::vector<Tensor> Gru::run(const Tensor& x, const std::vector<Tensor>& s, const Weights& w, bool reverse, const Tensor& lengths) const {
  return gru(x, s[0], w.ih, w.hh, w.bias_ih, w.bias_hh, {reverse, lengths});
}

}  // namespace tenon::nn

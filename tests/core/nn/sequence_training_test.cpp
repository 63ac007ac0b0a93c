/// Small models trained for a few recorded steps: the loss falls, the same bits for any number of threads, other dropout each step.
#include <catch2/catch.hpp>

#include "core/ops/gradient_check.hpp"
#include "tenon/dropout.hpp"
#include "tenon/nn/attention.hpp"
#include "tenon/nn/embedding.hpp"
#include "tenon/nn/recurrent.hpp"
#include "tenon/optim.hpp"
#include "tenon/plan.hpp"

using namespace tenon;

namespace {

class LstmModel : public nn::Module {
 public:
  Tensor forward(const Tensor& x) override { return head_->forward(lstm_->forward(x).select(1, x.size(1) - 1)); }

 private:
  std::shared_ptr<nn::Lstm> lstm_ =
      add_module("lstm", std::make_shared<nn::Lstm>(3, 24, nn::RecurrentStackOptions{.layers = 2, .bidirectional = true, .dropout = 0.1}));
  std::shared_ptr<nn::Linear> head_ = add_module("head", std::make_shared<nn::Linear>(48, 2));
};

class TransformerModel : public nn::Module {
 public:
  TransformerModel() {
    nn::TransformerOptions o;
    o.channels = 16, o.heads = 2, o.feedforward = 32, o.dropout = 0.1, o.activation = nn::FeedForwardActivation::gelu, o.norm_first = true;
    encoder_ = add_module("encoder", std::make_shared<nn::TransformerEncoder>(2, o, true));
    head_ = add_module("head", std::make_shared<nn::Linear>(16, 2));
  }
  Tensor forward(const Tensor& x) override { return head_->forward(mean(encoder_->forward(embed_->forward(x)), {1})); }

 private:
  std::shared_ptr<nn::Linear> embed_ = add_module("embed", std::make_shared<nn::Linear>(3, 16));
  std::shared_ptr<nn::TransformerEncoder> encoder_;
  std::shared_ptr<nn::Linear> head_;
};

/// Losses of every step, then all weights.
template <class Model>
std::vector<Tensor> trained() {
  Model model;
  model.initialise(4);
  Tensor key = random_key(4);
  model.set_random_key(key);
  auto optimiser = make_adamw(model, {});
  Tensor x = random_normal({70, 9, 3}, 5, 1), y = mean(x.narrow(2, 0, 2), {1}), loss;
  StepPlan plan = StepPlan::record([&] {
    loss = mse_loss(model.forward(x), y);
    loss.backward();
    loss = loss.detach();
    optimiser->step();
  });
  std::vector<Tensor> out;
  for (std::int64_t step = 0; step < 12; ++step) {
    set_random_step(key, step);
    optimiser->begin_step(0.01);
    plan.run();
    out.push_back(loss.clone());
  }
  for (const auto& [name, p] : model.parameters()) out.push_back(p.detach());
  return out;
}

template <class Model>
void trains() {
  std::vector<Tensor> run = trained<Model>();
  CHECK(run[11].item() < 0.7 * run[0].item());
  check::same_bits([] { return trained<Model>(); });
}

}  // namespace

TEST_CASE("a small LSTM trains, with the same bits for any number of threads", "[sequence][recurrent][threads]") {
  trains<LstmModel>();
}
TEST_CASE("a small transformer trains, with the same bits for any number of threads", "[sequence][attention][threads]") {
  trains<TransformerModel>();
}

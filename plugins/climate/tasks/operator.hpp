/// climate.operator: learns the operator that maps one field onto another (Li et al. 2021), and is scored on grids it never saw.
///
/// Recipe sections: [data] the pairs and how they are held back, [loss], [predict], [baselines].
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "climate/tasks/operator_data.hpp"
#include "climate/tasks/symmetry.hpp"
#include "tenon/plugin.hpp"

namespace tenon::climate {

TaskEntry operator_task();

class OperatorTask final : public Task {
 public:
  explicit OperatorTask(const TaskContext& context);

  std::vector<Problem> check(const Monitor& monitor) override;
  void load(const Monitor& monitor) override;
  std::vector<std::string> splits() const override;
  std::vector<MetricColumn> columns() const override;
  ModelContext model_context() const override;
  std::vector<TensorSpec> batch_spec() const override;
  void fill_batch(std::int64_t step, const Random& random, std::vector<Tensor>& batch) const override;
  std::vector<std::pair<std::string, Tensor>> loss(nn::Module& model, const std::vector<Tensor>& batch) override;
  Evaluation evaluate(nn::Module& model, const std::string& split, int pictures, const Monitor& monitor) override;
  double score(const Evaluation& evaluation) const override;
  std::vector<std::filesystem::path> predict(nn::Module& model, const std::vector<std::filesystem::path>& inputs,
                                             const PredictOptions& options) override;
  std::string state() const override;
  void load_state(const std::string& json) override;
  std::map<std::string, std::string> input_digests() const override;
  std::int64_t train_samples() const override;
  void require_inputs() const override;

 private:
  struct TestSet {
    std::string name;
    std::filesystem::path input, target;
  };
  std::vector<FieldPairs> sets_of(const std::string& split) const;
  std::vector<MetricColumn> columns_of(const std::vector<FieldPairs>& sets) const;
  /// What the model sees: the scaled fields, and where on the square each point lies. f32 [N, rows, columns, channels'].
  Tensor model_input(const Tensor& fields) const;
  Tensor forecast(nn::Module& model, const Tensor& fields) const;
  std::int64_t input_channels() const { return channels_ + (coordinates_ ? 2 : 0); }

  TaskContext context_;
  std::filesystem::path train_input_, train_target_;
  std::vector<TestSet> tests_;
  std::int64_t hold_back_ = 0;
  bool coordinates_ = true;
  std::vector<Turn> train_turns_, predict_turns_;
  std::string loss_;

  FieldPairs train_, held_back_;
  std::vector<FieldPairs> test_sets_;
  bool loaded_ = false, ready_ = false;
  std::int64_t channels_ = 1, rows_ = 0, columns_ = 0;
  std::vector<double> input_mean_, input_scale_;  ///< one a channel
  double target_mean_ = 0, target_scale_ = 1;
};

}  // namespace tenon::climate

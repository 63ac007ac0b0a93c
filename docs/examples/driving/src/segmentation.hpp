/// The task: which class stands in each pillar, learnt from streets that it makes itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "grid.hpp"
#include "rules.hpp"
#include "scene.hpp"
#include "tenon/plugin.hpp"

namespace driving_plugin {

class Segmentation final : public tenon::Task {
 public:
  explicit Segmentation(const tenon::TaskContext& context);

  // Made data has no defects. With files: every one of them in one pass, for `tenon check`.
  std::vector<tenon::Problem> check(const tenon::Monitor&) override { return {}; }
  void load(const tenon::Monitor& monitor) override;
  std::vector<std::string> splits() const override { return {"validation"}; }
  std::vector<tenon::MetricColumn> columns() const override;

  tenon::ModelContext model_context() const override;
  std::vector<tenon::TensorSpec> batch_spec() const override;
  void fill_batch(std::int64_t step, const tenon::Random& random, std::vector<tenon::Tensor>& batch) const override;
  std::vector<std::pair<std::string, tenon::Tensor>> loss(tenon::nn::Module& model, const std::vector<tenon::Tensor>& batch) override;

  tenon::Evaluation evaluate(tenon::nn::Module& model, const std::string& split, int pictures, const tenon::Monitor& monitor) override;
  double score(const tenon::Evaluation& evaluation) const override;  ///< mean IoU
  /// Of NAME.bin: NAME_classes.npz (classes, probability, x, y) and NAME_classes.png.
  std::vector<std::filesystem::path> predict(tenon::nn::Module& model, const std::vector<std::filesystem::path>& inputs,
                                             const tenon::PredictOptions& options) override;

  std::string state() const override;
  void load_state(const std::string& json) override;
  std::map<std::string, std::string> input_digests() const override { return {}; }  // it reads no file

 private:
  struct Guess {
    std::vector<std::uint8_t> classes;  ///< [nx * ny], kUnseen where no point is
    std::vector<float> probability;     ///< [nx * ny] of that class; 0 there
  };
  Guess guess(tenon::nn::Module& model, const std::vector<Point>& points) const;

  std::int64_t batch_;
  tenon::DType compute_;
  Grid grid_;
  Scanner scanner_;
  std::int64_t cases_;
  std::vector<double> weights_;
  std::vector<Scene> validation_;
  std::vector<Rule> rules_;
};

}  // namespace driving_plugin

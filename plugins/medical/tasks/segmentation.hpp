/// medical.segmentation: a voxel-labelling network trained on scans with label images.
///
/// Recipe sections: [data] what there is and how it is split, [patch] what a training sample is, [augment] how it is
/// varied, [loss], [predict] how whole scans are labelled, [metrics] what is scored, [baselines] published figures.
#pragma once

#include <memory>
#include <optional>

#include "medical/tasks/dataset.hpp"
#include "medical/tasks/device_patches.hpp"
#include "medical/tasks/patch_sampler.hpp"
#include "medical/tasks/scoring.hpp"
#include "medical/tasks/sliding_window.hpp"
#include "tenon/plugin.hpp"

namespace tenon::medical {

/// What the plugin registers.
TaskEntry segmentation_task();

class SegmentationTask final : public Task {
 public:
  explicit SegmentationTask(const TaskContext& context);

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
  void require_inputs() const override;  ///< one patch a training case

 private:
  Dataset& data();
  const Dataset& data() const;
  std::vector<Baseline> baselines(const std::string& split, const std::vector<MetricColumn>& columns);
  std::int64_t leaked_cases(const std::string& split) const;
  void fill_patches(std::int64_t step, const Random& random, std::vector<Tensor>& batch) const;
  Tensor truth_of(const LoadedCase& c) const;

  TaskContext context_;
  std::int64_t channels_ = 1;
  std::vector<std::string> extensions_;
  PatchSettings patch_;
  SpatialSettings spatial_;
  IntensitySettings intensity_;
  bool on_device_ = false;  ///< patches are made where the run computes
  std::int64_t levels_ = 1;  ///< resolutions with a head, each half the one before
  WindowSettings window_;
  ScoreSettings scoring_;
  std::vector<Baseline> published_;

  std::unique_ptr<Dataset> data_;  ///< made when data is first asked for: prediction needs none
  std::unique_ptr<PatchSampler> sampler_;
  std::unique_ptr<DevicePatches> device_patches_;  ///< null unless on_device_
  std::map<std::string, Baseline> atlas_;  ///< by split

  // What prediction needs; from load() or load_state().
  bool ready_ = false;
  std::map<std::string, std::string> trained_on_;  ///< voxel digest -> case, of the model whose state was loaded
  ModelSpace space_;
  NormalisationRule normalisation_;
};

}  // namespace tenon::medical

/// climate.super_resolution: finds the fine field of which a coarse one holds the box means, learnt from one part of the globe and scored on
/// another.
///
/// The network sees coarse cells and corrects bicubic interpolation; box means are kept exactly. Training samples are cut at any fine point, so
/// that the boxes fall in every phase.
///
/// Recipe sections: [data] the field and its regions, [patch] what a training sample is, [predict], [baselines].
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "climate/tasks/fine_field.hpp"
#include "climate/tasks/symmetry.hpp"
#include "tenon/plugin.hpp"

namespace tenon::climate {

TaskEntry super_resolution_task();

/// Columns [first, last) of cells.
struct CellColumns {
  std::int64_t first = 0, last = 0;
  std::int64_t count() const { return last - first; }
};

class SuperResolutionTask final : public Task {
 public:
  explicit SuperResolutionTask(const TaskContext& context);

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
  void require_inputs() const override;

 private:
  FineField read_described() const;
  CellColumns region(const std::string& key) const;  ///< of the recipe's [west, east]; none where it is empty
  std::vector<CellColumns> training_regions() const;
  /// The network's channels for a coarse window [rows, columns] whose rows lie at `latitude`: f32 [rows, columns, channels].
  void put_input(const float* coarse, std::int64_t rows, std::int64_t columns, const std::vector<double>& latitude, float* out) const;
  std::int64_t channels() const { return 3; }
  /// Fine values by cell of rows x `columns` of a coarse field [rows, width]; `wrapped`: its columns go around the globe.
  std::vector<float> refine(nn::Module& model, const std::vector<float>& coarse, const std::vector<double>& latitude, std::int64_t width, bool wrapped,
                            const CellColumns& columns, const Monitor& monitor) const;

  TaskContext context_;
  std::filesystem::path file_;
  std::string variable_, wanted_unit_;
  std::int64_t factor_ = 4, patch_ = 24, margin_ = 4, tile_ = 48;
  std::vector<Turn> turns_, predict_turns_;

  std::optional<FineField> field_;
  std::vector<float> coarse_;              ///< cells of the whole field
  std::vector<double> cell_latitude_, cell_longitude_;
  std::vector<CellColumns> regions_;       ///< trained on
  std::vector<double> origin_weights_;     ///< cumulative, of the first fine row of a training sample
  bool ready_ = false;
  std::string unit_;
  double scale_ = 1, detail_ = 1, correction_ = 1;  ///< standard deviations: of cells, of cells from their neighbours' mean, of fine points from bicubic
};

}  // namespace tenon::climate

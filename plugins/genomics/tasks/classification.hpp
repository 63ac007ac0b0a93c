/// genomics.classification: which class a sequence belongs to, learnt from labelled sequences.
///
/// Recipe sections: [data] what there is and how it is split, [augment] how training samples are varied, [loss], [linear] a second member
/// beside the network, [baselines] what stands beside the model. Scores: scoring.hpp. Prediction: FASTA in, TSV out, one line a sequence.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <span>

#include "genomics/baselines/linear.hpp"
#include "genomics/models/sequence_net.hpp"
#include "genomics/tasks/sequence_scorer.hpp"
#include "genomics/tasks/sequence_set.hpp"
#include "tenon/plugin.hpp"

namespace tenon::genomics {

TaskEntry classification_task();

struct AugmentSettings {
  double mask = 0, mutate = 0;  ///< share of bases made unknown, replaced by a random one
  std::int64_t shift = 0;       ///< bases that a sequence is moved by at most, either way
  bool reverse_complement = false;
};

/// One training sample: `from` [length] to `to`, varied by numbers of `random` alone.
void augment_codes(const AugmentSettings& settings, const Random& random, const std::uint8_t* from, std::int64_t length, std::uint8_t* to);

class ClassificationTask final : public Task, public SequenceScorer {
 public:
  explicit ClassificationTask(const TaskContext& context);

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

  std::int64_t input_length() const override { return length_; }
  std::vector<std::string> targets() const override;
  std::vector<double> target_probabilities(nn::Module& model, const Tensor& codes, const Monitor& monitor) override;

 private:
  const SequenceSet& set() const;
  std::int64_t classes() const { return std::int64_t(settings_.classes.size()); }
  void refuse_trained_on(const std::string& split) const;
  std::vector<double> probabilities(nn::Module& model, const Tensor& codes, const Monitor& monitor) const;
  const std::vector<std::int64_t>& part(const std::string& split) const;
  std::vector<Baseline> baselines(const std::string& split, std::span<const std::int64_t> truth);

  TaskContext context_;
  SetSettings settings_;
  AugmentSettings augment_;
  bool both_strands_ = false;
  double label_smoothing_ = 0;
  std::vector<Baseline> published_;
  LinearSettings linear_settings_;
  std::optional<LinearMember> linear_;  ///< from load() or load_state()
  std::optional<SequenceSet> set_;
  std::int64_t length_ = 0;  ///< bases that the model reads; from load() or load_state()
  bool pad_ = false;
  std::set<std::string> trained_on_;       ///< fingerprints of what a loaded model has seen
  std::vector<Baseline> computed_;         ///< of `computed_for_`
  std::vector<double> kmer_probabilities_;
  std::string computed_for_;
};

/// Class probabilities [n, classes] of codes [n, length], in passes of at most 256 sequences: the softmax of the network's logits, averaged
/// with those of `linear` by its share where there is one.
std::vector<double> class_probabilities(nn::Module& model, const LinearMember* linear, const Tensor& codes, std::int64_t classes, const Monitor& monitor);

}  // namespace tenon::genomics

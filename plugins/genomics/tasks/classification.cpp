#include "genomics/tasks/classification.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "genomics/baselines/baselines.hpp"
#include "genomics/io/letters.hpp"
#include "genomics/tasks/logos.hpp"
#include "genomics/tasks/scoring.hpp"
#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/sha256.hpp"
#include "tenon/losses.hpp"
#include "tenon/nn/ensemble.hpp"
#include "tenon/ops.hpp"
#include "tenon/permutation.hpp"

namespace tenon::genomics {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kPass = 256;  // sequences a pass of prediction
constexpr std::uint64_t kOrder = 1, kVary = 2;
constexpr std::size_t kFingerprint = 16;  // hexadecimal digits

const ParamSpec& augment_params() {
  static const ParamSpec spec{
      real_param("mask", 0, "share of a training sequence's bases made unknown (N)", 0, 1),
      real_param("mutate", 0, "share of a training sequence's bases replaced by one drawn at random", 0, 1),
      integer_param("shift", 0, "bases that a training sequence is moved by at most, either way; what is moved in is N", 0, 1000000),
  };
  return spec;
}

const ParamSpec& loss_params() {
  static const ParamSpec spec{
      real_param("label_smoothing", 0, "share of the truth that is spread over all classes", 0, 1),
  };
  return spec;
}

const ParamSpec& baselines_params() {
  static const ParamSpec spec{
      boolean_param("computed", true, "fit and score 6-mer logistic regression, GC content, length and class prior beside the model"),
      published_param(),
  };
  return spec;
}

/// The same for a sequence and its reverse complement.
std::string fingerprint(const std::string& letters) {
  return sha256_hex(std::min(letters, reverse_complement(letters))).substr(0, kFingerprint);
}

const ParamValues& section(const TaskContext& context, const std::string& name) {
  const auto found = context.sections.find(name);
  if (found == context.sections.end()) throw_usage("ClassificationTask", "the recipe section [" + name + "] was not given");
  return found->second;
}

}  // namespace

TaskEntry classification_task() {
  TaskEntry entry;
  entry.name = "classification";
  entry.help = "the class of a sequence, learnt from labelled sequences; a split that leaks is refused";
  entry.sections = {{"data", data_params()}, {"augment", augment_params()}, {"loss", loss_params()}, {"linear", linear_params()},
                    {"baselines", baselines_params()}};
  entry.default_model = "genomics.dilated";
  entry.make = [](const TaskContext& context) -> std::unique_ptr<Task> { return std::make_unique<ClassificationTask>(context); };
  return entry;
}

void augment_codes(const AugmentSettings& s, const Random& random, const std::uint8_t* from, std::int64_t length, std::uint8_t* to) {
  const auto draws = random.bits(0);
  const bool turned = s.reverse_complement && (draws[0] & 1u);
  const std::int64_t moved = s.shift > 0 ? std::int64_t(random.below(1, std::uint64_t(2 * s.shift + 1))) - s.shift : 0;
  for (std::int64_t i = 0; i < length; ++i) {
    const std::int64_t at = (turned ? length - 1 - i : i) + moved;
    std::uint8_t code = at < 0 || at >= length ? std::uint8_t(4) : from[at];
    if (turned && code < 4) code = std::uint8_t(3 - code);
    to[i] = code;
  }
  if (s.mask == 0 && s.mutate == 0) return;
  for (std::int64_t i = 0; i < length; ++i) {
    const auto b = random.bits(std::uint64_t(i) + 2);
    if (uniform_from_bits(b[0]) < float(s.mutate)) to[i] = std::uint8_t(b[1] & 3u);
    if (uniform_from_bits(b[2]) < float(s.mask)) to[i] = 4;
  }
}

ClassificationTask::ClassificationTask(const TaskContext& context)
    : context_(context), settings_(set_settings(section(context, "data"), context.recipe_directory, context.seed)) {
  const ParamValues& augment = section(context_, "augment");
  augment_ = {augment.real("mask"), augment.real("mutate"), augment.integer("shift"), false};
  if (const auto model = context_.sections.find("model"); model != context_.sections.end() && model->second.has("strand")) {
    const Strand strand = strand_of(model->second.text("strand"));
    augment_.reverse_complement = strand == Strand::augment || strand == Strand::average;
    both_strands_ = strand != Strand::none;
  }
  label_smoothing_ = section(context_, "loss").real("label_smoothing");
  linear_settings_ = linear_settings(section(context_, "linear"), both_strands_);
  published_ = published_baselines(section(context_, "baselines"), score_columns(classes()).size());
  for (auto& b : published_) b.values.resize(score_columns(classes()).size(), kNaN);
}

void ClassificationTask::require_inputs() const {
  for (const auto& file : files_of(settings_))
    if (!file_exists(settings_.root / file))
      throw Error(ErrorKind::usage, "genomics.no_file", "'" + file + "' is not there", "name files below data.root = " + settings_.root.string(), "data");
}

std::vector<Problem> ClassificationTask::check(const Monitor& monitor) {
  return check_set(settings_, monitor);
}

void ClassificationTask::load(const Monitor& monitor) {
  const std::int64_t trained = length_;
  SetSettings settings = settings_;
  if (trained > 0) {  // the model is there already: its window stays
    settings.length = trained;
    settings.pad = pad_;
  }
  set_ = load_set(settings, monitor);
  length_ = set_->length;
  pad_ = settings.pad;
  computed_for_.clear();
  if (linear_settings_.share > 0 && !linear_) {
    std::vector<std::int64_t> labels;
    for (auto row : set_->train) labels.push_back(set_->labels[std::size_t(row)]);
    linear_ = LinearMember::fit(linear_settings_, {set_->codes.data<std::uint8_t>(), length_, set_->train, set_->lengths}, labels, classes(), settings_.seed);
  }
}

const SequenceSet& ClassificationTask::set() const {
  if (!set_) throw_usage("ClassificationTask", "nothing is loaded yet");
  return *set_;
}

const std::vector<std::int64_t>& ClassificationTask::part(const std::string& split) const {
  if (split == "train") return set().train;
  if (split == "validation") return set().scored;
  throw Error(ErrorKind::usage, "genomics.split", "there is no split '" + split + "'", suggestion(split, {"train", "validation"}));
}

std::int64_t ClassificationTask::train_samples() const {
  return std::int64_t(set().train.size());
}

std::vector<std::string> ClassificationTask::splits() const {
  return {"train", "validation"};
}

std::vector<MetricColumn> ClassificationTask::columns() const {
  return score_columns(classes());
}

ModelContext ClassificationTask::model_context() const {
  if (length_ < 1) throw_usage("ClassificationTask", "neither trained nor told what training saw");
  ModelContext c;
  c.in_channels = 4;
  c.out_channels = classes();
  c.spatial = {length_};
  c.compute = context_.compute;
  return c;
}

std::vector<TensorSpec> ClassificationTask::batch_spec() const {
  return {{"codes", Shape{context_.batch_size, length_}, DType::u8}, {"labels", Shape{context_.batch_size}, DType::i64}};
}

void ClassificationTask::fill_batch(std::int64_t step, const Random& random, std::vector<Tensor>& batch) const {
  const auto& rows = set().train;
  const auto n = std::int64_t(rows.size());
  const std::uint8_t* codes = set().codes.data<std::uint8_t>();
  auto* to = batch.at(0).data<std::uint8_t>();
  auto* labels = batch.at(1).data<std::int64_t>();
  for (std::int64_t j = 0; j < context_.batch_size; ++j) {
    const std::int64_t sample = step * context_.batch_size + j;
    const std::int64_t row = rows[std::size_t(Permutation(n, random.child(kOrder).child(std::uint64_t(sample / n)))(sample % n))];
    augment_codes(augment_, random.child(kVary).child(std::uint64_t(sample)), codes + row * length_, length_, to + j * length_);
    labels[j] = set().labels[std::size_t(row)];
  }
}

std::vector<std::pair<std::string, Tensor>> ClassificationTask::loss(nn::Module& model, const std::vector<Tensor>& batch) {
  const auto members = model.forward_all({batch.at(0)});  // each learns by its own loss
  CrossEntropyOptions options;
  options.label_smoothing = label_smoothing_;
  Tensor sum;
  for (const Tensor& logits : members) {
    const Tensor one = label_smoothing_ == 0 ? cross_entropy(logits, batch.at(1)) : cross_entropy(logits, batch.at(1), options);
    sum = sum.defined() ? sum + one : one;
  }
  return {{"loss", members.size() == 1 ? sum : sum * (1.0 / double(members.size()))}};
}

std::vector<double> class_probabilities(nn::Module& model, const LinearMember* linear, const Tensor& codes, std::int64_t classes, const Monitor& monitor) {
  struct Mode {
    nn::Module& model;
    bool training;
    ~Mode() { model.train(training); }
  } mode{model, model.training()};
  model.eval();
  NoGrad none;
  const auto parameters = model.parameters();
  const Device device = parameters.empty() ? kCpu : parameters.front().second.device();
  const std::int64_t n = codes.size(0), length = codes.size(1);
  std::vector<double> out;
  out.reserve(std::size_t(n * classes));
  std::vector<std::int64_t> rows(static_cast<std::size_t>(std::min(kPass, n)));
  std::iota(rows.begin(), rows.end(), std::int64_t(0));
  for (std::int64_t begin = 0; begin < n; begin += kPass) {
    const std::int64_t some = std::min(kPass, n - begin);
    rows.resize(std::size_t(some));
    const Tensor logits = model.forward(codes.narrow(0, begin, some).contiguous().to(device));
    if (logits.shape() != Shape{some, classes})
      throw_usage("genomics.classification", "the model gives " + logits.str() + " for " + std::to_string(some) + " sequences of " +
                                                 std::to_string(length) + " bases and " + std::to_string(classes) + " classes");
    Tensor z = logits.to(DType::f32).to(kCpu).to(DType::f64);
    if (linear) {
      const Tensor some_codes = codes.narrow(0, begin, some).contiguous();
      const std::vector<double> other = linear->logits({some_codes.data<std::uint8_t>(), length, rows, {}});
      z = z * (1 - linear->share()) + Tensor::from(other, {some, classes}) * linear->share();
    }
    const auto p = softmax(z).to_vector();
    out.insert(out.end(), p.begin(), p.end());
    monitor.turn("predicting", begin + some, n);
  }
  return out;
}

std::vector<double> ClassificationTask::probabilities(nn::Module& model, const Tensor& codes, const Monitor& monitor) const {
  return class_probabilities(model, linear_ ? &*linear_ : nullptr, codes, classes(), monitor);
}

std::vector<std::string> ClassificationTask::targets() const {
  if (classes() == 2) return {settings_.classes[1]};
  return settings_.classes;
}

std::vector<double> ClassificationTask::target_probabilities(nn::Module& model, const Tensor& codes, const Monitor& monitor) {
  std::vector<double> p = probabilities(model, codes, monitor);
  if (classes() != 2) return p;
  for (std::size_t i = 0; 2 * i < p.size(); ++i) p[i] = p[2 * i + 1];
  p.resize(p.size() / 2);
  return p;
}

std::vector<Baseline> ClassificationTask::baselines(const std::string& split, std::span<const std::int64_t> truth) {
  if (section(context_, "baselines").boolean("computed") && computed_for_ != split) {
    const SequenceSet& s = set();
    std::vector<std::int64_t> labels;
    for (auto row : s.train) labels.push_back(s.labels[std::size_t(row)]);
    const std::uint8_t* codes = s.codes.data<std::uint8_t>();
    computed_.clear();
    const auto found = sequence_baselines({codes, length_, s.train, s.lengths}, labels, {codes, length_, part(split), s.lengths}, classes(), both_strands_,
                                          settings_.seed);
    kmer_probabilities_ = found.front().probabilities;
    for (const auto& b : found) {
      Baseline line{b.name, {}, b.source};
      for (const Interval& v : genomics::score(b.probabilities, truth, classes(), 0)) line.values.push_back(v.value);
      computed_.push_back(std::move(line));
    }
    computed_for_ = split;
  }
  std::vector<Baseline> list = computed_;
  list.insert(list.end(), published_.begin(), published_.end());
  return list;
}

/// A score of sequences that the model was trained on is no score, whatever the recipe calls them now.
void ClassificationTask::refuse_trained_on(const std::string& split) const {
  if (split == "train" || trained_on_.empty() || !settings_.allow_leak.empty()) return;
  for (auto row : part(split))
    if (trained_on_.contains(fingerprint(set().letters[std::size_t(row)])))
      throw Error(ErrorKind::data, "genomics.leak", "the model was trained on this sequence",
                  "score the part that the run held back, with the run's own seed and split, or say why: data.allow_leak = \"...\"", set().ids[std::size_t(row)]);
}

Evaluation ClassificationTask::evaluate(nn::Module& model, const std::string& split, int pictures, const Monitor& monitor) {
  const SequenceSet& s = set();
  const auto& rows = part(split);
  refuse_trained_on(split);
  Evaluation result;
  result.split = split;
  result.columns = score_columns(classes());
  result.notes = s.notes;
  if (split == "train") result.notes.insert(result.notes.begin(), "THESE ARE THE " + std::to_string(rows.size()) + " TRAINING SEQUENCES: the scores tell how well they were learnt; what follows on the scored part is not about them");
  if (linear_) {
    char text[160];
    std::snprintf(text, sizeof text, "log-odds: the network's by %g, and by %g those of a logistic regression on k-mer counts (C = %g)", 1 - linear_->share(), linear_->share(), linear_->strength());
    result.notes.push_back(text);
  }
  for (const auto& note : score_notes(classes())) result.notes.push_back(note);

  std::vector<std::int64_t> truth;
  Tensor codes = Tensor::empty({std::int64_t(rows.size()), length_}, DType::u8);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    truth.push_back(s.labels[std::size_t(rows[i])]);
    std::copy_n(s.codes.data<std::uint8_t>() + rows[i] * length_, length_, codes.data<std::uint8_t>() + std::int64_t(i) * length_);
  }
  const std::vector<double> p = probabilities(model, codes, monitor);
  for (double v : p)
    if (!std::isfinite(v)) throw Error(ErrorKind::data, "genomics.not_finite", "a probability of the model is not finite", "train again with a lower learning rate", split);
  result.totals = genomics::score(p, truth, classes());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CaseResult c{s.ids[std::size_t(rows[i])], {}, {}};
    const bool right = predicted_class(p.data() + std::int64_t(i) * classes(), classes()) == truth[i];
    for (const auto& column : result.columns) c.values.push_back(column.per_case ? double(right) : kNaN);
    result.cases.push_back(std::move(c));
  }
  result.baselines = baselines(split, truth);
  const NamedProbabilities beside{"6-mer logistic regression", kmer_probabilities_};
  result.charts = score_charts(settings_.classes, p, truth, beside);
  if (pictures > 0) {
    nn::Module* first = &model;
    if (auto* several = dynamic_cast<nn::Ensemble*>(&model)) first = several->members().front().get();
    if (auto* net = dynamic_cast<SequenceNet*>(first)) result.pictures = filter_logos(*net, codes, truth, settings_.classes);
  }
  return result;
}

double ClassificationTask::score(const Evaluation& evaluation) const {
  return evaluation.totals.at(mcc_column(classes())).value;
}

std::string ClassificationTask::state() const {
  nlohmann::ordered_json json;
  json["task"] = "genomics.classification";
  json["classes"] = settings_.classes;
  json["length"] = length_;
  json["pad"] = pad_;
  if (linear_) json["linear"] = linear_->to_json();
  std::set<std::string> trained = trained_on_;
  if (set_)
    for (auto row : set_->train) trained.insert(fingerprint(set_->letters[std::size_t(row)]));
  json["trained_on"] = trained;
  return json.dump(1);
}

void ClassificationTask::load_state(const std::string& text) {
  try {
    const auto json = nlohmann::json::parse(text);
    if (json.at("task") != "genomics.classification")
      throw Error(ErrorKind::data, "genomics.state", "the state of another task, " + json.at("task").dump(), "predict with the run's own recipe");
    if (json.at("classes").get<std::vector<std::string>>() != settings_.classes)
      throw Error(ErrorKind::data, "genomics.state", "trained for the classes " + json.at("classes").dump() + ", the recipe names others",
                  "predict with the run's own recipe");
    const auto length = json.at("length").get<std::int64_t>();
    if (length < 1) throw Error(ErrorKind::data, "genomics.state", "a window of " + std::to_string(length) + " bases", "the run directory is damaged: train again");
    linear_.reset();
    if (linear_settings_.share > 0) linear_ = LinearMember::from_json(linear_settings_, length, classes(), json.at("linear"));
    length_ = length;
    pad_ = json.at("pad").get<bool>();
    trained_on_ = json.value("trained_on", std::set<std::string>());
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorKind::data, "genomics.state", std::string("not a task state: ") + e.what(), "the run directory is damaged: train again");
  }
}

std::map<std::string, std::string> ClassificationTask::input_digests() const {
  return set().digests;
}

}  // namespace tenon::genomics

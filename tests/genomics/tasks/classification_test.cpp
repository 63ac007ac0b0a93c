#include "genomics/tasks/classification.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <fstream>
#include <sstream>
#include <thread>

#include "genomics/io/letters.hpp"
#include "genomics/models/models.hpp"
#include "genomics/tasks/made_set.hpp"
#include "tenon/conv_codes.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/ops.hpp"
#include "tenon/optim.hpp"
#include "tenon/pooling.hpp"

using namespace tenon;
using namespace tenon::genomics;
using tenon::test::MadeSet;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

/// Knows the motif: the logit of class 1 is high where TATAAT stands.
class Oracle final : public nn::Module {
 public:
  Oracle() {
    std::vector<float> w(24, 0.0f);
    const int motif[] = {3, 0, 3, 0, 0, 3};
    for (std::size_t k = 0; k < 6; ++k) w[k * 4 + std::size_t(motif[k])] = 1;
    weight_ = Tensor::from(w, {1, 6, 4});
  }
  Tensor forward(const Tensor& codes) override {
    const Tensor found = global_max_pool(conv_codes(codes, weight_));  // 6 where the whole motif is there
    return concat({found * 0.0, (found - 5.5) * 8.0}, 1);
  }

 private:
  Tensor weight_;
};

std::vector<Tensor> make_batch(const ClassificationTask& task) {
  std::vector<Tensor> batch;
  for (const auto& spec : task.batch_spec()) batch.push_back(Tensor::empty(spec.shape, spec.dtype));
  return batch;
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string code_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.code();
  }
  return "no error";
}

}  // namespace

TEST_CASE("batches: every sample once an epoch, the same bits from any thread", "[genomics][task]") {
  MadeSet set("batch");
  ClassificationTask task(set.context({{"augment.mask", "0.1"}, {"augment.shift", "2"}}));
  task.load({});
  CHECK(task.train_samples() == 96);
  CHECK(task.model_context().spatial == std::vector<std::int64_t>{40});
  const Random random(3, 0);
  auto one = make_batch(task), two = make_batch(task);
  task.fill_batch(7, random, one);
  std::thread([&] {
    auto other = make_batch(task);
    task.fill_batch(6, random, other);
    task.fill_batch(7, random, two);
  }).join();
  for (std::size_t i = 0; i < one.size(); ++i) CHECK(one[i].to_vector() == two[i].to_vector());

  ClassificationTask plain(set.context());
  plain.load({});
  std::multiset<std::vector<double>> seen;
  auto batch = make_batch(plain);
  double positives = 0;
  for (std::int64_t step = 0; step < 12; ++step) {
    plain.fill_batch(step, random, batch);
    for (std::int64_t j = 0; j < 8; ++j) seen.insert(batch[0].select(0, j).to_vector());
    for (double v : batch[1].to_vector()) positives += v;
  }
  CHECK(std::set<std::vector<double>>(seen.begin(), seen.end()).size() == 96);
  CHECK(positives == 48);
}

TEST_CASE("strand modes that take both strands turn half of the training samples", "[genomics][task][strand]") {
  MadeSet set("strand");
  for (const auto& [strand, turns] : {std::pair{"none", false}, {"augment", true}, {"average", true}, {"tied", false}}) {
    ClassificationTask task(set.context({}, strand)), plain(set.context());
    task.load({});
    plain.load({});
    auto a = make_batch(task), b = make_batch(plain);
    const Random random(3, 0);
    int turned = 0;
    for (std::int64_t step = 0; step < 12; ++step) {
      task.fill_batch(step, random, a);
      plain.fill_batch(step, random, b);
      const Tensor other = reverse_complement_codes(b[0]);
      for (std::int64_t j = 0; j < 8; ++j) {
        const auto got = a[0].select(0, j).to_vector();
        const bool is_other = got == other.select(0, j).to_vector();
        REQUIRE((is_other || got == b[0].select(0, j).to_vector()));
        turned += is_other;
      }
    }
    INFO(strand);
    CHECK((turned > 25 && turned < 71) == turns);
    if (!turns) CHECK(turned == 0);
  }
}

TEST_CASE("an evaluation of the training part says so", "[genomics][task]") {
  MadeSet set("train-part");
  ClassificationTask task(set.context({{"baselines.computed", "false"}}));
  task.load({});
  Oracle oracle;
  CHECK_THAT(task.evaluate(oracle, "train", 0, {}).notes.front(), Contains("THESE ARE THE 96 TRAINING SEQUENCES"));
  for (const auto& note : task.evaluate(oracle, "validation", 0, {}).notes) CHECK_THAT(note, !Contains("THESE ARE"));
}

TEST_CASE("both strands of a padded sequence get the same bytes, by every model and the linear member", "[genomics][task][strand]") {
  MadeSet set("padded");
  for (int label : {0, 1}) {  // lengths of both parities
    std::string text;
    for (int i = 0; i < 60; ++i) text += ">s" + std::to_string(i) + "\n" + MadeSet::sequence(label, i, 40 - i % 4) + "\n";
    set.write(label ? "one.fa" : "zero.fa", text);
  }
  for (const char* strand : {"tied", "average"})
    for (const bool basset : {false, true}) {
      INFO(strand << (basset ? ", basset" : ", dilated"));
      ClassificationTask task(set.context({{"data.pad", "N"}, {"linear.share", "0.5"}, {"linear.kmers", "[4]"}}, strand));
      task.load({});
      const auto entry = basset ? basset_model() : dilated_model();
      ParamValues values(entry.params);
      const std::vector<std::pair<std::string, std::string>> given =
          basset ? std::vector<std::pair<std::string, std::string>>{{"filters", "[12]"}, {"kernels", "[7]"}, {"pools", "[3]"}, {"hidden", "[16]"}}
                 : std::vector<std::pair<std::string, std::string>>{{"filters", "12"}, {"kernel", "9"}, {"dilations", "[1, 2]"}};
      for (const auto& [name, text] : given) values.set_from_text(entry.params, name, text, "test");
      values.set_from_text(entry.params, "strand", strand, "test");
      const auto net = entry.make(values, task.model_context());
      net->initialise(7);
      net->set_random_key(Tensor::from(std::vector<std::int64_t>{3, 0}, {2}));
      Tensor one = Tensor::empty({120, 40}, DType::u8), other = Tensor::empty({120, 40}, DType::u8);
      for (int i = 0; i < 120; ++i) {
        const std::string letters = MadeSet::sequence(i % 2, 500 + i, 29 + i % 12);
        encode_padded(letters, 40, true, "one", one.data<std::uint8_t>() + i * 40);
        encode_padded(reverse_complement(letters), 40, true, "other", other.data<std::uint8_t>() + i * 40);
      }
      const auto p = task.target_probabilities(*net, one, {});
      CHECK(p == task.target_probabilities(*net, other, {}));
      CHECK(std::set<double>(p.begin(), p.end()).size() > 100);
    }
}

TEST_CASE("an evaluation holds scores with intervals, baselines, charts", "[genomics][task]") {
  MadeSet set("evaluate");
  ClassificationTask task(set.context({{"baselines.published", "[\"someone | nan, nan, 0.9 | somewhere\"]"}}));
  task.load({});
  Oracle oracle;
  const Evaluation e = task.evaluate(oracle, "validation", 4, {});
  REQUIRE(e.columns.size() == 5);
  REQUIRE(e.totals.size() == 5);
  CHECK(e.cases.size() == 24);
  CHECK(e.totals[0].value == 1);   // AUROC
  CHECK(e.totals[2].value == Approx(1));  // MCC
  CHECK(e.totals[3].value == 1);   // accuracy
  for (const auto& c : e.cases) {
    CHECK(c.values[3] == 1);
    CHECK(std::isnan(c.values[0]));
  }
  CHECK(task.score(e) == e.totals[2].value);
  std::vector<std::string> names;
  for (const auto& b : e.baselines) {
    names.push_back(b.name);
    CHECK(b.values.size() == 5);
  }
  CHECK(names == std::vector<std::string>{"6-mer logistic regression", "GC content", "length", "class prior", "someone"});
  CHECK(e.baselines[3].values[0] == 0.5);  // the prior ranks nothing
  CHECK(e.charts.size() == 3);
  CHECK_THAT(e.notes[0], Contains("trained on 96 sequences (background 48, promoter 48), scored on 24"));
  CHECK_THROWS_WITH(task.evaluate(oracle, "test", 0, {}), Contains("no split 'test'"));
}

TEST_CASE("training finds the motif", "[genomics][task]") {
  MadeSet set("train");
  ClassificationTask task(set.context());
  task.load({});
  ParamValues v(dilated_model().params);
  for (const auto& [name, text] : {std::pair{"filters", "16"}, {"kernel", "7"}, {"dilations", "[1]"}, {"head", "max"}, {"dropout", "0"}})
    v.set_from_text(dilated_model().params, name, text, "test");
  const auto net = dilated_model().make(v, task.model_context());
  net->initialise(1);
  const auto optimiser = make_adamw(*net, {});
  auto batch = make_batch(task);
  for (std::int64_t step = 0; step < 150; ++step) {
    task.fill_batch(step, Random(3, 0), batch);
    task.loss(*net, batch)[0].second.backward();
    optimiser->begin_step(0.01);
    optimiser->step();
  }
  const Evaluation e = task.evaluate(*net, "validation", 4, {});
  CHECK(e.totals[0].value > 0.95);
  REQUIRE(!e.pictures.empty());  // logos, the most informative first
  bool found = false;
  std::string captions;
  for (const auto& p : e.pictures) {
    captions += p.caption + "\n";
    CHECK(p.png.size() > 100);
    std::string upper = p.caption.substr(0, p.caption.find(','));
    for (char& c : upper) c = char(std::toupper(c));
    // a filter of the promoters that reads some of TATAAT; places of less than 0.25 bits are dots
    if (p.caption.find("most often in promoter") == std::string::npos) continue;
    for (const char* piece : {"TAT", "ATA", "TAA", "AAT"}) found |= upper.find(piece) != std::string::npos;
  }
  INFO(captions);
  CHECK(found);
}

TEST_CASE("a split that leaks is refused, unless told why", "[genomics][task][leak]") {
  MadeSet set("leak");
  std::string copied = ">a\n" + MadeSet::sequence(1, 3) + "\n>b\n" + MadeSet::sequence(1, 500) + "\n";
  set.write("one.test.fa", copied);
  set.write("zero.test.fa", ">a\n" + MadeSet::sequence(0, 600) + "\n>b\n" + MadeSet::sequence(0, 601) + "\n");
  const std::pair<std::string, std::string> fixed{"data.test_files", "[\"zero.test.fa\", \"one.test.fa\"]"};
  ClassificationTask task(set.context({fixed}));
  try {
    task.load({});
    FAIL("a copied test sequence was let pass");
  } catch (const Error& e) {
    CHECK(e.code() == "genomics.leak");
    CHECK(e.kind() == ErrorKind::data);
    CHECK_THAT(e.message(), Contains("1 of 4 records of 'the scored part'") && Contains("1 of them letter for letter") && Contains("one.test.fa:a"));
    CHECK_THAT(e.hint(), Contains("allow_leak"));
  }
  const auto problems = ClassificationTask(set.context({fixed})).check({});
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].code == "genomics.leak");
  ClassificationTask allowed(set.context({fixed, {"data.allow_leak", "to compare"}}));
  allowed.load({});
  Oracle oracle;
  bool told = false;
  for (const auto& note : allowed.evaluate(oracle, "validation", 0, {}).notes) told |= note.find("LEAKING SPLIT, allowed because: to compare") != std::string::npos;
  CHECK(told);
}

TEST_CASE("what a model was trained on is not scored under another split", "[genomics][task][leak]") {
  MadeSet set("trained");
  ClassificationTask first(set.context());
  first.load({});
  const std::string state = first.state();
  Oracle oracle;
  ClassificationTask same(set.context()), other(set.context({{"data.split_seed", "99"}}));
  same.load_state(state);
  same.load({});
  CHECK(same.evaluate(oracle, "validation", 0, {}).totals[3].value == 1);
  other.load_state(state);
  other.load({});
  CHECK(code_of([&] { other.evaluate(oracle, "validation", 0, {}); }) == "genomics.leak");
}

TEST_CASE("the linear member's log-odds are averaged with the network's, and kept in the state", "[genomics][task][linear]") {
  MadeSet set("linear");
  const auto context = [&](const char* share) { return set.context({{"linear.share", share}, {"linear.kmers", "[3]"}, {"linear.strength", "10"}}); };
  const auto log_odds = [&](ClassificationTask& task, const Tensor& codes) {
    Oracle oracle;
    std::vector<double> z;
    for (double p : task.target_probabilities(oracle, codes, {})) z.push_back(std::log(p / (1 - p)));
    return z;
  };
  ClassificationTask alone(set.context()), half(context("0.5")), whole(context("1"));
  for (auto* task : {&alone, &half, &whole}) task->load({});
  std::vector<std::uint8_t> draws;
  for (std::uint64_t i = 0; i < 20 * 40; ++i) draws.push_back(std::uint8_t(Random(5, 1).below(i, 5)));
  const Tensor codes = Tensor::from(draws, {20, 40});
  const auto network = log_odds(alone, codes), both = log_odds(half, codes), linear = log_odds(whole, codes);
  CHECK(network != both);
  for (std::size_t i = 0; i < both.size(); ++i) CHECK(both[i] == Approx(0.5 * (network[i] + linear[i])).margin(1e-9));

  ClassificationTask later(context("0.5"));
  later.load_state(half.state());
  CHECK(log_odds(later, codes) == both);
  later.load({});  // not fitted anew
  CHECK(log_odds(later, codes) == both);
  Oracle oracle;
  bool told = false;
  for (const auto& note : later.evaluate(oracle, "validation", 0, {}).notes) told |= note.find("by 0.5 those of a logistic regression on k-mer counts (C = 10)") != std::string::npos;
  CHECK(told);
  ClassificationTask without(context("0.5"));
  CHECK(code_of([&] { without.load_state(alone.state()); }) == "genomics.state");
}

TEST_CASE("prediction: FASTA in, TSV out, atomically, nothing overwritten unasked", "[genomics][task][predict]") {
  MadeSet set("predict");
  ClassificationTask trained(set.context());
  trained.load({});
  ClassificationTask task(set.context());
  task.load_state(trained.state());
  Oracle oracle;
  set.write("some.fa", ">x with words\n" + MadeSet::sequence(1, 700) + "\n>y\n" + MadeSet::sequence(0, 700) + "\n");
  PredictOptions options;
  options.output = set.root() / "out";
  const auto written = task.predict(oracle, {set.root() / "some.fa"}, options);
  REQUIRE(written == std::vector<fs::path>{set.root() / "out" / "some.tsv"});
  const auto lines = lines_of(written[0]);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "sequence\tlength\tprediction\tprobability_background\tprobability_promoter");
  CHECK(lines[1].starts_with("x with words\t40\tpromoter\t0.0179862\t0.982014"));
  CHECK(lines[2].starts_with("y\t40\tbackground\t"));

  CHECK(code_of([&] { task.predict(oracle, {set.root() / "some.fa"}, options); }) == "predict.exists");
  options.overwrite = true;
  CHECK(code_of([&] { task.predict(oracle, {set.root() / "some.fa"}, options); }) == "no error");
  set.write("out/some.tsv", "my own table\n");
  CHECK(code_of([&] { task.predict(oracle, {set.root() / "some.fa"}, options); }) == "predict.not_a_prediction");
  CHECK(lines_of(written[0])[0] == "my own table");

  set.write("long.fa", ">x\n" + MadeSet::sequence(1, 700, 41) + "\n");
  CHECK(code_of([&] { task.predict(oracle, {set.root() / "long.fa"}, options); }) == "genomics.length");
  set.write("bad.fa", ">x\nACGT!\n");
  CHECK(code_of([&] { task.predict(oracle, {set.root() / "bad.fa"}, options); }) == "genomics.letter");
  CHECK_FALSE(fs::exists(set.root() / "out" / "bad.tsv"));
  CHECK_FALSE(fs::exists(set.root() / "out" / "long.tsv"));
}

TEST_CASE("a task's state is its own", "[genomics][task]") {
  MadeSet set("state");
  ClassificationTask task(set.context());
  CHECK(code_of([&] { task.load_state("{"); }) == "genomics.state");
  CHECK(code_of([&] { task.load_state(R"({"task": "medical.segmentation"})"); }) == "genomics.state");
  CHECK(code_of([&] { task.load_state(R"({"task": "genomics.classification", "classes": ["a", "b"], "length": 40, "pad": false})"); }) == "genomics.state");
  ClassificationTask padded(set.context({{"data.length", "50"}, {"data.pad", "N"}}));
  padded.load({});
  task.load_state(padded.state());
  CHECK(task.model_context().spatial == std::vector<std::int64_t>{50});
  task.load({});  // the window of the model stays
  CHECK(task.model_context().spatial == std::vector<std::int64_t>{50});
}

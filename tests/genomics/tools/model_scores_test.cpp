// Variants scored by the task's own probabilities, with a model that knows its motif.
#include <catch2/catch.hpp>

#include "genomics/tasks/made_set.hpp"
#include "genomics/test_files.hpp"
#include "genomics/tools/variant_scorer.hpp"
#include "tenon/conv_codes.hpp"
#include "tenon/ops.hpp"
#include "tenon/pooling.hpp"

using namespace tenon;
using namespace tenon::genomics;
using tenon::test::MadeSet;

namespace {

/// The logit of class 1 is 4 where TATAAT stands on the strand as read, else at most -4.
class Motif final : public nn::Module {
 public:
  Motif() {
    std::vector<float> w(24, 0.0f);
    const int motif[] = {3, 0, 3, 0, 0, 3};
    for (std::size_t k = 0; k < 6; ++k) w[k * 4 + std::size_t(motif[k])] = 1;
    weight_ = Tensor::from(w, {1, 6, 4});
  }
  Tensor forward(const Tensor& codes) override {
    const Tensor found = global_max_pool(conv_codes(codes, weight_));
    return concat({found * 0.0, (found - 5.5) * 8.0}, 1);
  }

 private:
  Tensor weight_;
};

}  // namespace

TEST_CASE("score-variants: a variant that breaks the motif lowers the probability of the positive class, on either strand") {
  MadeSet set("scores");
  ClassificationTask task(set.context());
  task.load({});
  CHECK(task.input_length() == 40);
  CHECK(task.targets() == std::vector<std::string>{"promoter"});
  Motif model;
  VariantModel scorer;
  scorer.targets = task.targets();
  scorer.score = [&](const Tensor& codes) { return task.target_probabilities(model, codes, {}); };
  test::TestFolder folder;
  const std::string background = "GCCGCGGCCGGCGCCGCGGCGGCCGCGCGGCGCCGGCGGC";  // holds no A or T
  const Genome genome = Genome::read(folder.write("x.fa", ">p\n" + background + "GTATAATC" + background + "\n>m\n" + background + "GATTATAC" + background + "\n"));
  const auto path = folder.write("x.vcf",
                                 "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
                                 "p\t43\t.\tA\tG,C\t.\t.\t.\np\t41\t.\tG\tC\t.\t.\t.\np\t43\t.\tAT\tA\t.\t.\t.\nm\t46\t.\tT\tC\t.\t.\t.\n");
  VariantRules rules;
  rules.length = task.input_length();
  auto difference = [&](bool both) {
    rules.both_strands = both;
    const auto out = folder.path() / (both ? "both.vcf" : "forward.vcf");
    const auto counts = score_variants(path, out, {}, genome, rules, scorer, {});
    CHECK(counts.scored == 5);
    std::vector<std::vector<double>> rows;
    std::ifstream in(out);
    for (std::string line; std::getline(in, line);) {
      const auto at = line.find("TENON_DIFF_promoter=");
      if (line.starts_with('#') || at == std::string::npos) continue;
      auto& row = rows.emplace_back();
      std::string list = line.substr(at + 20, line.find(';', at) - at - 20);
      for (std::size_t i = 0; i != std::string::npos; i = list.find(',', i + 1)) row.push_back(std::stod(list.substr(i ? i + 1 : 0)));
    }
    return rows;
  };
  const double whole = 1 / (1 + std::exp(-4.0)), broken = 1 / (1 + std::exp(4.0));
  const auto forward = difference(false), both = difference(true);
  REQUIRE(forward.size() == 4);
  REQUIRE(forward[0].size() == 2);
  for (double d : forward[0]) CHECK(d == Approx(broken - whole).epsilon(1e-4));
  CHECK(forward[1][0] == Approx(0).margin(1e-6));   // beside the motif
  CHECK(forward[2][0] == Approx(broken - whole).epsilon(0.02));
  CHECK(std::abs(forward[3][0]) < 0.02);            // the motif stands on the other strand
  REQUIRE(both.size() == 4);
  CHECK(both[0][0] == Approx((broken - whole) / 2).epsilon(0.02));
  CHECK(both[3][0] == Approx((broken - whole) / 2).epsilon(0.02));
}

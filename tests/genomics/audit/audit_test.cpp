#include "genomics/audit/audit.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <set>

#include "genomics/audit/kmer_sets.hpp"
#include "genomics/io/letters.hpp"
#include "genomics/shared_data.hpp"
#include "genomics/test_files.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::genomics;

namespace {

std::string random_sequence(const Random& random, std::size_t length) {
  std::string s(length, 'A');
  for (std::size_t i = 0; i < length; ++i) s[i] = "ACGT"[random.below(i, 4)];
  return s;
}

std::string mutated(std::string s, const Random& random, std::size_t changes) {
  for (std::size_t i = 0; i < changes; ++i) s[random.below(2 * i, s.size())] = "ACGT"[random.below(2 * i + 1, 4)];
  return s;
}

/// The definition, said plainly.
std::vector<NearPair> near_pairs_by_definition(const std::vector<std::string_view>& sequences, double threshold) {
  auto words = [](std::string_view s) {
    std::set<std::string> out;
    for (std::size_t i = 0; i + kAuditWord <= s.size(); ++i)
      if (auto w = s.substr(i, kAuditWord); w.find_first_not_of("ACGT") == std::string_view::npos) out.emplace(w);
    return out;
  };
  std::vector<std::set<std::string>> own[2];
  for (auto s : sequences) {
    own[0].push_back(words(s));
    own[1].push_back(words(reverse_complement(s)));
  }
  std::vector<NearPair> out;
  for (std::size_t a = 0; a < sequences.size(); ++a) {
    for (std::size_t b = a; b < sequences.size(); ++b) {
      for (bool reverse : {false, true}) {
        if (a == b && !reverse) continue;
        const auto& other = own[reverse][b];
        int shared = 0;
        for (const auto& w : own[0][a]) shared += int(other.count(w));
        int united = int(own[0][a].size() + other.size()) - shared;
        if (united > 0 && double(shared) / double(united) >= threshold) out.push_back({int(a), int(b), shared, united, reverse});
      }
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

TEST_CASE("audit: the pairs found by prefix filtering are those of the definition") {
  Random random(3, 1);
  std::vector<std::string> made;
  for (std::uint64_t i = 0; i < 12; ++i) {
    auto base = random_sequence(random.child(i), 20 + random.below(i, 120));
    made.push_back(base);
    for (std::uint64_t j = 0; j < 3; ++j) made.push_back(mutated(base, random.child(1000 + 3 * i + j), j + 1));
    made.push_back(reverse_complement(mutated(base, random.child(5000 + i), 1)));
    made.push_back(base.substr(0, base.size() - 4) + "N" + random_sequence(random.child(9000 + i), i % 9));
  }
  made.push_back("ACGTACGTACGTACGTACGT");
  made.push_back("AAAAAAAAAAAAAAAAAAAAAA");
  made.push_back("TTTTTTTTTTTTTTT");
  made.push_back("ACG");
  std::sort(made.begin(), made.end());
  made.erase(std::unique(made.begin(), made.end()), made.end());
  std::vector<std::string_view> views(made.begin(), made.end());
  for (double threshold : {0.7, 0.3, 0.9}) {
    auto found = near_pairs(views, threshold), wanted = near_pairs_by_definition(views, threshold);
    CHECK(found.size() > 5);
    CHECK(found == wanted);
  }
  CHECK_THROWS_AS(near_pairs(views, 0.0), Error);
  CHECK_THROWS_WITH(near_pairs(views, 0.3333333), Catch::Contains("millionths"));
  CHECK_NOTHROW(near_pairs(views, 0.333333));
}

TEST_CASE("audit: copies, contradictions and leaks of a small set") {
  Random random(4, 1);
  const auto a = random_sequence(random.child(1), 60), b = random_sequence(random.child(2), 60), c = random_sequence(random.child(3), 60);
  std::vector<SequenceRecord> records = {{"a", "1", "", a, 1},      {"a2", "1", "", a, 2}, {"b", "0", "", b, 3},
                                         {"b2", "1", "", b, 4},     {"c", "0", "", c, 5},  {"cr", "0", "", reverse_complement(c), 6},
                                         {"a3", "1", "", a + "G", 7}};
  AuditSet set{records, {0, 1, 0, 0, 0, 1, 1}, {"train", "test"}};
  auto result = audit(set);
  CHECK(result.records == 7);
  CHECK(result.distinct == 5);
  CHECK(result.redundant == 2);
  CHECK(result.identical_groups == 2);
  CHECK(result.two_label_groups == 1);
  CHECK(result.pairs.at({0, 0}).exact == 1);
  CHECK(result.pairs.at({0, 0}).near_disagree == 1);
  CHECK(result.pairs.at({0, 1}).exact == 1);
  CHECK(result.pairs.at({0, 1}).exact_reverse == 1);
  CHECK(result.pairs.at({0, 1}).near == 2);
  CHECK(result.pairs.at({0, 1}).near_reverse == 1);
  CHECK(result.clusters == 4);
  CHECK(result.clusters_both == 3);
  CHECK(without_duplicates(set, result) == std::vector<bool>{true, false, false, false, true, true, true});
  auto found = leaks(result);
  REQUIRE(found.size() == 2);
  CHECK(found[0].to == 1);
  CHECK(found[0].near == 3);
  CHECK(found[0].exact == 1);
  CHECK(text_of(found[0], set.parts) ==
        "3 of 3 records of 'test' have a near duplicate in 'train' (8-mer Jaccard >= 0.7, either strand), 1 of them letter for letter");
  CHECK(found[1].near == 2);
  set.part[0] = 5;
  CHECK_THROWS_AS(audit(set), Error);
}

TEST_CASE("audit: a pair near on both strands has two labels once, and short reverse complements are near") {
  const std::string both = "ACGTACGTCCGGACGTACGT";  // its own reverse complement
  const auto counts = [](const std::vector<std::string>& sequences, std::vector<std::string> labels) {
    std::vector<SequenceRecord> records;
    for (std::size_t i = 0; i < sequences.size(); ++i) records.push_back({"r", labels[i], "", sequences[i], i + 1});
    return audit({records, std::vector<int>(records.size(), 0), {"all"}}).pairs.at({0, 0});
  };
  auto c = counts({both, both}, {"p", "q"});
  CHECK(c.exact == 1);
  CHECK(c.near == 1);
  CHECK(c.near_reverse == 1);
  CHECK(c.near_disagree == 1);
  c = counts({both, both + "A"}, {"p", "q"});  // near, not equal
  CHECK(c.near == 1);
  CHECK(c.near_reverse == 1);
  CHECK(c.near_disagree == 1);
  c = counts({"AACCGG", "CCGGTT"}, {"p", "q"});  // shorter than a word
  CHECK(c.exact_reverse == 1);
  CHECK(c.near == 0);
  CHECK(c.near_reverse == 1);
  CHECK(c.near_disagree == 1);
  c = counts({"ACGT", "ACGT"}, {"p", "q"});
  CHECK(c.near == 1);
  CHECK(c.exact_reverse == 1);
  CHECK(c.near_reverse == 1);
  CHECK(c.near_disagree == 1);
}

TEST_CASE("audit: the known answers of the published sets") {
  TENON_NEEDS_GENOMICS_DATA(data);
  auto known = nlohmann::json::parse(test::read_whole(data / "audit-known-answers.json"))["sets"];
  auto folder = GENERATE(as<std::pair<std::string, std::string>>{}, std::pair{"splice-junction", "splice-junction"}, std::pair{"promoters-ecoli", "promoters-ecoli"},
                         std::pair{"promoters-arabidopsis TATA", "promoters-arabidopsis"}, std::pair{"promoters-arabidopsis non-TATA", "promoters-arabidopsis"},
                         std::pair{"promoters-arabidopsis small in big", "promoters-arabidopsis"}, std::pair{"enhancers-liu2016 layer1", "enhancers-liu2016/layer1"},
                         std::pair{"enhancers-liu2016 layer2", "enhancers-liu2016/layer2"}, std::pair{"nfe2-chipseq", "nfe2-chipseq"});
  INFO(folder.first);
  const auto& wanted = known.at(folder.first);
  std::vector<SequenceRecord> records;
  AuditSet set;
  for (const auto& [file, count] : wanted.at("records").items()) {
    auto name = folder.first == "nfe2-chipseq" ? "wgEncodeSydhTfbsGm12878Nfe2hStdAlnRep0." + file : file;
    auto read = read_sequences(data / folder.second / name);
    CHECK(read.size() == count.get<std::size_t>());
    set.part.insert(set.part.end(), read.size(), int(set.parts.size()));
    set.parts.push_back(file);
    for (auto& r : read) records.push_back(std::move(r));
  }
  set.records = records;
  auto result = audit(set);
  CHECK(result.distinct == wanted.at("distinct_sequences").get<std::int64_t>());
  CHECK(result.redundant == wanted.at("redundant_records").get<std::int64_t>());
  CHECK(result.ambiguous == wanted.at("records_with_ambiguity_codes").get<std::int64_t>());
  CHECK(result.clusters == wanted.at("single_linkage_clusters").get<std::int64_t>());
  auto compare = [&](const char* key, std::int64_t PairCounts::* count) {
    INFO(key);
    auto left = wanted.at(key);
    for (const auto& [parts, counts] : result.pairs) {
      if (counts.*count == 0) continue;
      const auto &a = set.parts[std::size_t(parts.first)], &b = set.parts[std::size_t(parts.second)];
      auto name = left.contains(a + " x " + b) ? a + " x " + b : b + " x " + a;
      INFO(a << " x " << b);
      REQUIRE(left.contains(name));
      CHECK(counts.*count == left.at(name).get<std::int64_t>());
      left.erase(name);
    }
    CHECK(left.empty());
  };
  compare("exact_pairs", &PairCounts::exact);
  compare("exact_reverse_complement_pairs", &PairCounts::exact_reverse);
  compare("near_pairs", &PairCounts::near);
  compare("near_pairs_reverse_complement", &PairCounts::near_reverse);
  for (std::size_t p = 0; p < set.parts.size(); ++p)
    CHECK(result.part_with_neighbour[p] == wanted.at("with_neighbour").value(set.parts[p], std::int64_t(0)));
  if (wanted.contains("groups_of_identical_records")) {
    CHECK(result.identical_groups == wanted.at("groups_of_identical_records").get<std::int64_t>());
    CHECK(result.in_identical_groups == wanted.at("records_in_those_groups").get<std::int64_t>());
    CHECK(result.two_label_groups == wanted.at("groups_with_two_labels").get<std::int64_t>());
  }
}

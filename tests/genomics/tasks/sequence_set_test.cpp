#include "genomics/tasks/sequence_set.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <set>

#include "genomics/io/letters.hpp"
#include "genomics/shared_data.hpp"
#include "genomics/tasks/made_set.hpp"
#include "tenon/error.hpp"

using namespace tenon;
using namespace tenon::genomics;
using tenon::test::MadeSet;
using Catch::Matchers::Contains;

namespace {

SetSettings settings(const std::filesystem::path& root, std::vector<std::string> classes, std::vector<std::string> files) {
  SetSettings s;
  s.root = root;
  s.classes = std::move(classes);
  s.files = std::move(files);
  s.seed = 1;
  return s;
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

TEST_CASE("short sequences are set in the middle of unknown bases, others refused", "[genomics][set]") {
  std::vector<std::uint8_t> codes(7, 9);
  encode_padded("acGu", 7, true, "here", codes.data());
  CHECK(codes == std::vector<std::uint8_t>{4, 0, 1, 2, 3, 4, 4});
  CHECK_THROWS_WITH(encode_padded("ACGT", 7, false, "here", codes.data()), Contains("4 bases among those of 7"));
  CHECK_THROWS_WITH(encode_padded("ACGTACGT", 7, true, "here", codes.data()), Contains("8 bases"));
  CHECK_THROWS_WITH(encode_padded("AC!T", 4, true, "here", codes.data()), Contains("'!' at base 3"));
}

TEST_CASE("padding commutes with the reverse complement, whatever the parities", "[genomics][set][strand]") {
  const Random random(5, 1);
  for (std::int64_t n = 0; n <= 12; ++n)
    for (std::int64_t length = n; length <= n + 5; ++length)
      for (std::uint64_t k = 0; k < 40; ++k) {
        std::string letters;
        for (std::int64_t i = 0; i < n; ++i) letters += "ACGTNRacgu"[random.child(k).below(std::uint64_t(20 * n + i), 10)];
        std::vector<std::uint8_t> one(std::size_t(length), 9), other = one;
        encode_padded(letters, length, true, "one", one.data());
        encode_padded(reverse_complement(letters), length, true, "other", other.data());
        if (one == other) continue;  // its own reverse complement, by codes
        std::reverse(other.begin(), other.end());
        for (auto& c : other) c = complement_code(c);
        INFO(letters << " in " << length);
        REQUIRE(one == other);
      }
  // the odd base stands right of the first strand in the order of codes, left of the other
  std::vector<std::uint8_t> codes(4, 9);
  encode_padded("AAC", 4, true, "here", codes.data());
  CHECK(codes == std::vector<std::uint8_t>{0, 0, 1, 4});
  encode_padded("GTT", 4, true, "here", codes.data());
  CHECK(codes == std::vector<std::uint8_t>{4, 2, 3, 3});
}

TEST_CASE("splits depend on the seed alone, keep clusters and balance classes", "[genomics][set][split]") {
  MadeSet made("split");
  // near duplicates of four sequences: one base of 40 changed leaves most 8-mers
  std::string text;
  for (int i = 0; i < 60; ++i) text += ">s" + std::to_string(i) + "\n" + MadeSet::sequence(1, i) + "\n";
  for (int i = 0; i < 4; ++i) {
    std::string s = MadeSet::sequence(1, i);
    s[39] = s[39] == 'A' ? 'C' : 'A';
    text += ">near" + std::to_string(i) + "\n" + s + "\n";
  }
  made.write("one.fa", text);
  const auto base = settings(made.root(), {"background", "promoter"}, {"zero.fa", "one.fa"});
  std::set<std::vector<std::int64_t>> different;
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    SetSettings s = base;
    s.seed = seed;
    const SequenceSet a = load_set(s, {}), b = load_set(s, {});
    CHECK(a.scored == b.scored);
    different.insert(a.scored);
    std::map<std::int64_t, int> by_class;
    for (auto row : a.scored) ++by_class[a.labels[std::size_t(row)]];
    CHECK(std::abs(by_class[0] - 12) <= 1);
    CHECK(std::abs(by_class[1] - 13) <= 1);
    CHECK(a.train.size() + a.scored.size() == 124);
    const std::set<std::int64_t> scored(a.scored.begin(), a.scored.end());
    for (int i = 0; i < 4; ++i) CHECK(scored.contains(60 + i) == scored.contains(120 + i));
  }
  CHECK(different.size() == 6);
}

TEST_CASE("a random split deals out single sequences, and tells of near duplicates in both parts", "[genomics][set][split]") {
  MadeSet made("random");
  std::string text;
  for (int i = 0; i < 30; ++i)
    for (const char* last : {"A", "C", "G", "A"}) text += ">s\n" + MadeSet::sequence(1, i).substr(0, 39) + last + "\n";
  made.write("one.fa", text);
  auto s = settings(made.root(), {"background", "promoter"}, {"zero.fa", "one.fa"});
  s.drop_duplicates = s.random_split = true;
  const SequenceSet set = load_set(s, {});
  CHECK(set.train.size() == 120);  // of 60 and 90, the copies dropped
  CHECK(set.scored.size() == 30);
  std::set<std::string> trained;
  for (auto row : set.train) trained.insert(set.letters[std::size_t(row)]);
  for (auto row : set.scored) CHECK_FALSE(trained.contains(set.letters[std::size_t(row)]));
  bool told = false, drawn = false;
  for (const auto& note : set.notes) {
    told |= note.find("RANDOM SPLIT") != std::string::npos && note.find("'the scored part'") != std::string::npos;
    drawn |= note.find("split drawn at random with seed 1") != std::string::npos;
  }
  CHECK(told);
  CHECK(drawn);
  s.random_split = false;
  for (const auto& note : load_set(s, {}).notes) CHECK_THAT(note, !Contains("RANDOM"));
}

TEST_CASE("choices are made on a part of the training part, the test part stays out of both", "[genomics][set][split]") {
  MadeSet made("choose");
  SetSettings s = settings(made.root(), {"background", "promoter"}, {"zero.fa", "one.fa"});
  const SequenceSet whole = load_set(s, {});
  s.choose = true;
  const SequenceSet choice = load_set(s, {});
  std::vector<std::int64_t> both = choice.train;
  both.insert(both.end(), choice.scored.begin(), choice.scored.end());
  std::sort(both.begin(), both.end());
  std::vector<std::int64_t> train = whole.train;
  std::sort(train.begin(), train.end());
  CHECK(both == train);
  CHECK(choice.scored.size() >= 18);
}

TEST_CASE("tables: classes by name, duplicates dropped, contradictions gone", "[genomics][set]") {
  MadeSet made("table");
  std::string text;
  for (int i = 0; i < 30; ++i) text += "no, n" + std::to_string(i) + ", " + MadeSet::sequence(0, i) + "\nyes, y" + std::to_string(i) + ", " + MadeSet::sequence(1, i) + "\n";
  made.write("sound.csv", text);
  made.write("table.csv", text + "yes, again, " + MadeSet::sequence(1, 3) + "\nno, other, " + MadeSet::sequence(1, 5) + "\n");
  SetSettings s = settings(made.root(), {"no", "yes"}, {});
  s.table = "table.csv";
  s.drop_duplicates = true;
  const SequenceSet set = load_set(s, {});
  CHECK(set.letters.size() == 59);  // 62 lines, one repeats, two contradict
  CHECK_THAT(set.notes[0], Contains("3 records dropped: repeated sequences, and 1 sequence that stands under two classes"));
  CHECK(std::set<std::string>(set.ids.begin(), set.ids.end()).size() == 59);
  CHECK(set.digests.size() == 1);
  s.table = "sound.csv";
  s.classes = {"no", "maybe"};
  try {
    load_set(s, {});
    FAIL("an unknown class was let pass");
  } catch (const Error& e) {
    CHECK(e.code() == "genomics.class");
    CHECK_THAT(e.where(), Contains("sound.csv:2"));
  }
}

TEST_CASE("every defect of the data is found in one pass", "[genomics][set][check]") {
  MadeSet made("check");
  made.write("one.fa", ">a\nACGT\n>b\n" + MadeSet::sequence(1, 1) + "\n>c\n" + MadeSet::sequence(1, 2) + "AA\n");
  const auto problems = check_set(settings(made.root(), {"background", "promoter"}, {"zero.fa", "one.fa"}), {});
  CHECK(problems.size() == 62);  // all but the longest
  CHECK(problems[0].code == "genomics.length");
  made.write("one.fa", ">a\nAC!T\n");
  const auto bad = check_set(settings(made.root(), {"background", "promoter"}, {"zero.fa", "one.fa"}), {});
  REQUIRE(bad.size() == 1);
  CHECK(bad[0].code == "genomics.letter");
}

TEST_CASE("recipes that make no data set are refused by key", "[genomics][set]") {
  ParamValues v(data_params());
  const auto set = [&](const std::string& key, const std::string& text) { v.set_from_text(data_params(), key, text, "test"); };
  set("root", "/nowhere");
  CHECK_THROWS_WITH(set_settings(v, "/", 1), Contains("data.classes: 0 classes"));
  set("classes", "[\"a\", \"b\"]");
  CHECK_THROWS_WITH(set_settings(v, "/", 1), Contains("neither files nor a table"));
  set("files", "[\"one.fa\"]");
  CHECK_THROWS_WITH(set_settings(v, "/", 1), Contains("1 files for 2 classes"));
  set("files", "[\"one.fa\", \"two.fa\"]");
  set("table", "t.csv");
  CHECK_THROWS_WITH(set_settings(v, "/", 1), Contains("files and a table"));
  set("table", "");
  CHECK(set_settings(v, "/", 7).seed == 7);
  set("split_seed", "5");
  CHECK(set_settings(v, "/", 7).seed == 5);
  v.set(data_params(), "allow_leak", std::string(" \t"), "test");
  CHECK_THROWS_WITH(set_settings(v, "/", 1), Contains("blanks are no reason"));
  set("allow_leak", "");
  set("classes", "[\"a\", \"a\"]");
  CHECK_THROWS_WITH(set_settings(v, "/", 1), Contains("'a' twice"));
}

TEST_CASE("the splice junctions without duplicates", "[genomics][set][data]") {
  SetSettings s = settings(std::filesystem::path(TENON_SOURCE_DIR) / "data" / "samples" / "splice-junctions", {"N", "EI", "IE"}, {});
  s.table = "splice.txt";
  s.drop_duplicates = true;
  const SequenceSet set = load_set(s, {});
  CHECK(set.letters.size() == 3004);  // 3005 distinct, one of them under two classes
  CHECK(set.length == 60);
  CHECK(std::abs(double(set.scored.size()) - 600.8) < 4);
}

TEST_CASE("the enhancers as published are refused, with the audit's verdict", "[genomics][set][leak][data]") {
  TENON_NEEDS_GENOMICS_DATA(root)
  SetSettings s = settings(root / "enhancers-liu2016", {"background", "enhancer"}, {"layer1/non.cv.txt", "layer1/enhancer.cv.txt"});
  s.test_files = {"layer1/non.ind.txt", "layer1/enhancer.ind.txt"};
  s.pad = true;
  CHECK(code_of([&] { load_set(s, {}); }) == "genomics.leak");
  CHECK_THROWS_WITH(load_set(s, {}), Contains("of 400 records of 'the scored part'") && Contains("100 of them letter for letter"));
  s.test_files.clear();
  CHECK(code_of([&] { load_set(s, {}); }) == "no error");
}

#include "genomics/tools/tools.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "genomics/io/sequence_table.hpp"
#include "genomics/shared_data.hpp"
#include "genomics/test_files.hpp"
#include "tenon/io/sha256.hpp"

using namespace tenon;
using namespace tenon::genomics;

namespace {

class Recorder : public ToolContext {
 public:
  void print(const std::string& text) override { out += text + "\n"; }
  void status(const std::string& text) override { err += text + "\n"; }
  void progress(std::int64_t, std::int64_t) override {}
  bool json() const override { return as_json; }
  bool interrupted() const override { return false; }
  std::string out, err;
  bool as_json = false;
};

struct Call {
  int status = 0;
  std::string out, err;
};

Call call(const ToolEntry& tool, const std::vector<std::string>& inputs, const std::vector<std::pair<std::string, std::string>>& given = {}, bool json = false) {
  ParamValues values(tool.params);
  for (const auto& [name, text] : given) values.set_from_text(tool.params, name, text, "test");
  Recorder recorder;
  recorder.as_json = json;
  Call c;
  c.status = tool.run(inputs, values, recorder);
  c.out = recorder.out;
  c.err = recorder.err;
  return c;
}

struct Golden {
  const char* file;
  std::vector<std::string> regions;
  bool reverse;
  const char* sha256;
  std::size_t bytes;
};
const Golden kFaidx[] = {
#include "golden/samtools_faidx.inc"
};

}  // namespace

TEST_CASE("fetch: the same bytes as samtools faidx") {
  TENON_NEEDS_GENOMICS_DATA(data);
  for (const auto& golden : kFaidx) {
    INFO(golden.file << " " << golden.regions.front());
    std::vector<std::string> inputs = {(data / golden.file).string()};
    inputs.insert(inputs.end(), golden.regions.begin(), golden.regions.end());
    auto c = call(fetch_tool(), inputs, {{"reverse_complement", golden.reverse ? "true" : "false"}});
    CHECK(c.out.size() == golden.bytes);
    CHECK(sha256_hex(c.out) == golden.sha256);
  }
}

TEST_CASE("fetch: where samtools is wrong: past a contig's end, unknown contigs, padding is counted") {
  TENON_NEEDS_GENOMICS_DATA(data);
  const auto file = (data / "corrupt" / "good" / "ref.fa").string();
  for (const char* region : {"chrC:490-520", "chrC:600-700"}) CHECK(test::code_of([&] { call(fetch_tool(), {file, region}); }) == "genomics.region");
  auto error = test::error_of([&] { call(fetch_tool(), {file, "chrZ"}); });
  REQUIRE(error);
  CHECK(error->code() == "genomics.contig");
  CHECK_THAT(error->hint(), Catch::Contains("chrA"));
  auto c = call(fetch_tool(), {file, "chrC:499-502"}, {{"pad", "N"}});
  CHECK_THAT(c.out, Catch::EndsWith("NN\n"));
  CHECK(c.err == "2 bases outside the contigs were filled with N\n");
  CHECK_THROWS_AS(call(fetch_tool(), {file}), Error);
}

TEST_CASE("fetch: BED regions, the minus strand, a file as output") {
  test::TestFolder folder;
  const auto fasta = folder.write("x.fa", ">c\nAACCGGTTNA\n").string();
  const auto bed = folder.write("x.bed", "# a comment\nc\t0\t4\tfirst\t0\t+\nc\t1\t4\tsecond\t0\t-\n").string();
  CHECK(call(fetch_tool(), {fasta}, {{"bed", bed}}).out == ">c:1-4 first\nAACC\n>c:2-4/rc second\nGGT\n");
  CHECK(call(fetch_tool(), {fasta}, {{"bed", bed}, {"reverse_complement", "true"}}).out == ">c:1-4/rc first\nGGTT\n>c:2-4 second\nACC\n");
  CHECK(call(fetch_tool(), {fasta, "c:7-10"}, {{"width", "2"}}).out == ">c:7-10\nTT\nNA\n");
  const auto out = (folder.path() / "o.fa").string();
  call(fetch_tool(), {fasta, "c:1-2"}, {{"output", out}});
  CHECK(test::read_whole(out) == ">c:1-2\nAA\n");
  CHECK(test::code_of([&] { call(fetch_tool(), {fasta, "c:1-2"}, {{"output", out}}); }) == "genomics.exists");
  CHECK(test::code_of([&] { call(fetch_tool(), {fasta, "c:1-2"}, {{"output", fasta}, {"overwrite", "true"}}); }) == "genomics.exists");
  call(fetch_tool(), {fasta, "c:3-4"}, {{"output", out}, {"overwrite", "true"}});
  CHECK(test::read_whole(out) == ">c:3-4\nCC\n");
  auto json = nlohmann::json::parse(call(fetch_tool(), {fasta, "c:3-5"}, {}, true).out);
  CHECK(json.at("sequences").at(0).at("sequence") == "CCG");
  CHECK(json.at("sequences").at(0).at("begin") == 2);
}

TEST_CASE("audit tool: the enhancers' leak by label, as a table, as JSON, as an error") {
  TENON_NEEDS_GENOMICS_DATA(data);
  const auto folder = data / "enhancers-liu2016" / "layer1";
  const std::vector<std::string> inputs = {(folder / "enhancer.cv.txt").string(), (folder / "non.cv.txt").string(), (folder / "enhancer.ind.txt").string(), (folder / "non.ind.txt").string()};
  const std::vector<std::pair<std::string, std::string>> given = {{"labels", "[enhancer,non,enhancer,non]"}, {"splits", "[train,train,test,test]"}};
  auto text = call(audit_tool(), inputs, given);
  CHECK(text.status == 0);
  CHECK_THAT(text.out, Catch::Contains("label 'enhancer': 100 of 200 records of 'test' are in 'train' letter for letter"));
  CHECK_THAT(text.out, Catch::Contains("label 'non': 0 of 200 records of 'test'"));
  auto json = nlohmann::json::parse(call(audit_tool(), inputs, given, true).out);
  CHECK(json.at("leaks").at(0).at("labels").at("enhancer").at("exact") == 100);
  CHECK(json.at("exact_pairs").at("train x test") == 100);
  auto strict = given;
  strict.emplace_back("fail_on_leak", "true");
  auto error = test::error_of([&] { call(audit_tool(), inputs, strict); });
  REQUIRE(error);
  CHECK(error->code() == "genomics.leak");
  CHECK_THAT(error->message(), Catch::Contains("100 of 400 records of 'test' have a near duplicate in 'train'"));
}

TEST_CASE("audit tool: the split that it writes is read again, and does not leak") {
  TENON_NEEDS_GENOMICS_DATA(data);
  test::TestFolder folder;
  const auto out = (folder.path() / "split.tsv.gz").string();
  const std::vector<std::string> inputs = {(data / "promoters-ecoli" / "Ecoli_prom.fa").string(), (data / "promoters-ecoli" / "Ecoli_non_prom.fa").string()};
  auto c = call(audit_tool(), inputs, {{"labels", "[1,0]"}, {"write_split", out}, {"split_seed", "3"}});
  CHECK_THAT(c.out, Catch::Contains("seed 3, train 3071 test 768"));
  auto records = read_sequences(out);
  REQUIRE(records.size() == 3839);
  CHECK(std::count_if(records.begin(), records.end(), [](const auto& r) { return r.split == "test" && r.label == "1"; }) == 168);
  call(audit_tool(), {out}, {{"fail_on_leak", "true"}});
  CHECK_THROWS_AS(call(audit_tool(), inputs, {{"labels", "[1]"}}), Error);
}

TEST_CASE("audit tool: names that need quotes come back") {
  test::TestFolder folder;
  const auto in = folder.write("x.fa", ">a \"b\"\tc\nACGT\n>plain\nACGG\n").string();
  const auto out = (folder.path() / "s.tsv").string();
  call(audit_tool(), {in}, {{"write_split", out}});
  CHECK(read_sequences(out).at(0).name == "a \"b\" c");  // in a name a tab is a blank
  const auto good = folder.write("y.fa", ">\"a\" b\nACGT\n>plain\nACGG\n").string();
  call(audit_tool(), {good}, {{"write_split", out}, {"overwrite", "true"}});
  auto records = read_sequences(out);
  CHECK(records.at(0).name == "\"a\" b");
  CHECK(records.at(1).name == "plain");
}

TEST_CASE("validate: good and bad files, one line each, status 3") {
  TENON_NEEDS_GENOMICS_DATA(data);
  const auto folder = data / "corrupt";
  const auto reference = (folder / "good" / "ref.fa").string();
  auto good = call(validate_tool(), {reference, (folder / "good" / "vars.vcf.gz").string(), (folder / "good" / "reads.fastq.gz").string(), (folder / "good" / "regions.bed").string()}, {{"reference", reference}});
  CHECK(good.status == 0);
  CHECK_THAT(good.out, Catch::Contains("3 sequences, 9500 bases") && Catch::Contains("691 records, 2 samples") && Catch::Contains("FASTQ, 400 records") && Catch::Contains("4 intervals"));
  auto bad = call(validate_tool(), {(folder / "vcf" / "ref_mismatch.vcf").string(), (folder / "vcf" / "undeclared_filter_info.vcf").string(), (folder / "fasta" / "stale.fa").string()}, {{"reference", reference}});
  CHECK(bad.status == 3);
  CHECK_THAT(bad.out, Catch::Contains("[genomics.ref_mismatch]") && Catch::Contains("[genomics.stale_index]") && Catch::Contains("warning: FILTER weird is not declared in the header (1 rows)"));
}

TEST_CASE("score-variants: usage is told before anything is read") {
  test::TestFolder folder;
  auto code = [&](const std::vector<std::string>& inputs, const std::vector<std::pair<std::string, std::string>>& given) { return test::error_of([&] { call(score_variants_tool(), inputs, given); })->kind(); };
  CHECK(code({"a.vcf"}, {{"reference", "x.fa"}}) == ErrorKind::usage);
  CHECK(code({"a.vcf", "b.vcf"}, {{"reference", "x.fa"}}) == ErrorKind::usage);
  CHECK(code({"a.vcf", "b.vcf"}, {{"reference", "x.fa"}, {"sequences", (folder.path() / "s.fa").string()}}) == ErrorKind::usage);
}

TEST_CASE("score-variants: the two outputs are two files, however they are spelt, and no BCF") {
  test::TestFolder folder;
  const auto reference = folder.write("x.fa", ">c\nACGTTGCAATACGT\n").string();
  const auto input = folder.write("x.vcf", "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nc\t6\t.\tG\tT\t.\t.\t.\n").string();
  const auto at = [&](const char* name) { return (folder.path() / name).string(); };
  const auto error = [&](const std::string& output, const std::string& sequences) {
    return test::error_of([&] { call(score_variants_tool(), {input, output}, {{"reference", reference}, {"length", "4"}, {"sequences", sequences}, {"overwrite", "true"}}); });
  };
  std::filesystem::create_symlink("o.vcf", at("link.vcf"));  // to what is not there yet
  folder.write("old.vcf", "old");
  std::filesystem::create_hard_link(at("old.vcf"), at("hard.vcf"));
  for (const auto& [output, sequences] : {std::pair{"o.vcf", "o.vcf"}, {"o.vcf", "./o.vcf"}, {"o.vcf", "link.vcf"}, {"link.vcf", "o.vcf"}, {"old.vcf", "hard.vcf"}}) {
    INFO(output << " " << sequences);
    const auto e = error(at(output), at(sequences));
    REQUIRE(e);
    CHECK(e->kind() == ErrorKind::usage);
    CHECK(e->code() == "genomics.exists");
    CHECK_THAT(e->message(), Catch::Contains("one file"));
  }
  CHECK(!std::filesystem::exists(at("o.vcf")));
  CHECK(test::read_whole(at("old.vcf")) == "old");
  CHECK_THAT(error(at("o.bcf"), at("s.fa"))->message(), Catch::Contains("BCF is not written"));
  CHECK_THAT(error(at("x.fa.fai"), at("s.fa"))->message(), Catch::Contains("an input's index"));
  CHECK(!error(at("o.vcf"), at("s.fa")));
}

TEST_CASE("fetch: the input's own index is no place for the output") {
  test::TestFolder folder;
  const auto fasta = folder.write("r.fa", ">c\nACGT\n").string(), index = folder.write("r.fa.fai", "c\t4\t3\t4\t5\n").string();
  CHECK(test::code_of([&] { call(fetch_tool(), {fasta, "c:1-2"}, {{"output", index}, {"overwrite", "true"}}); }) == "genomics.exists");
  CHECK(test::read_whole(index) == "c\t4\t3\t4\t5\n");
}

TEST_CASE("fetch: an interval of no length is left out, and said") {
  test::TestFolder folder;
  const auto fasta = folder.write("x.fa", ">c1\nACGTACGT\n"), bed = folder.write("x.bed", "c1\t5\t5\nc1\t0\t2\n");
  const auto c = call(fetch_tool(), {fasta.string()}, {{"bed", bed.string()}});
  CHECK(c.out == ">c1:1-2\nAC\n");
  CHECK_THAT(c.err, Catch::Contains("1 intervals of no length were left out"));
}

TEST_CASE("fetch: intervals past a contig's end are refused, cut and counted, or filled") {
  test::TestFolder folder;
  const auto fasta = folder.write("x.fa", ">c\nAACCGG\n").string();
  const auto bed = folder.write("x.bed", "c\t4\t9\t.\t0\t-\nc\t0\t2\t.\t0\t+\nc\t5\t7\t.\t0\t+\n").string();
  CHECK(test::code_of([&] { call(fetch_tool(), {fasta}, {{"bed", bed}}); }) == "genomics.bed");
  auto c = call(fetch_tool(), {fasta}, {{"bed", bed}, {"clip", "true"}});
  CHECK(c.out == ">c:5-6/rc\nCC\n>c:1-2\nAA\n>c:6-6\nG\n");
  CHECK(c.err == "2 intervals were cut at their contig's end, by 4 bases\n");
  auto json = nlohmann::json::parse(call(fetch_tool(), {fasta}, {{"bed", bed}, {"clip", "true"}}, true).out);
  CHECK(json.at("clipped") == 2);
  CHECK(json.at("clipped_bases") == 4);
  c = call(fetch_tool(), {fasta}, {{"bed", bed}, {"pad", "N"}});
  CHECK(c.out == ">c:5-9/rc\nNNNCC\n>c:1-2\nAA\n>c:6-7\nGN\n");
  CHECK(c.err == "4 bases outside the contigs were filled with N\n");
  for (const auto& given : std::vector<std::vector<std::pair<std::string, std::string>>>{{{"bed", bed}, {"clip", "true"}, {"pad", "N"}}, {{"clip", "true"}}})
    CHECK(test::error_of([&] { call(fetch_tool(), {fasta, "c:1-2"}, given); })->kind() == ErrorKind::usage);
}

TEST_CASE("audit tool: options that make no split, or are for one that is not written, are refused") {
  test::TestFolder folder;
  const auto in = folder.write("x.fa", ">a\nACGTTTGACA\n>b\nACGGCTAACC\n>c\nACGGCTAACC\n").string();
  const auto out = (folder.path() / "s.tsv").string();
  const auto refusal = [&](const std::vector<std::pair<std::string, std::string>>& given) {
    const auto error = test::error_of([&] { call(audit_tool(), {in}, given); });
    if (error) CHECK(error->kind() == ErrorKind::usage);
    return error ? error->message() : "none";
  };
  CHECK_THAT(refusal({{"write_split", out}, {"names", "[a, a]"}}), Catch::Contains("--names holds 'a' twice"));
  CHECK_THAT(refusal({{"write_split", out}, {"names", "[\"a\", \"\"]"}}), Catch::Contains("--names holds an empty name"));
  CHECK_THAT(refusal({{"write_split", out}, {"names", "[a, b, c]"}}), Catch::Contains("2 --sizes and 3 --names"));
  for (const auto& [name, value] : {std::pair{"sizes", "[1, 2]"}, {"names", "[a, b]"}, {"split_seed", "3"}, {"drop_duplicates", "true"}, {"overwrite", "true"}})
    CHECK_THAT(refusal({{name, value}}), Catch::Contains(std::string("--") + name + " is given, and no split is written"));
  CHECK_THAT(refusal({{"splits", "[\"\"]"}}), Catch::Contains("--splits holds an empty name"));
  CHECK_THAT(call(audit_tool(), {in}, {{"threshold", "0.9"}}).out, Catch::Contains("8-mer Jaccard >= 0.9"));
}

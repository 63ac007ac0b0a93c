// Alternative sequences and effects of variants, and the VCF that holds them.
#include <catch2/catch.hpp>

#include <cmath>
#include <sstream>

#include "genomics/io/byte_input.hpp"
#include "genomics/io/fasta.hpp"
#include "genomics/io/letters.hpp"
#include "genomics/io/vcf.hpp"
#include "genomics/shared_data.hpp"
#include "genomics/test_files.hpp"
#include "genomics/tools/variant_scorer.hpp"

using namespace tenon;
using namespace tenon::genomics;

namespace {

const std::string kHead = "##fileformat=VCFv4.2\n##contig=<ID=c>\n##INFO=<ID=AC,Number=A,Type=Integer,Description=\"count\">\n";
const std::string kColumns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n";

/// Shares of G or C, and of A, weighted by place on the first target, so that strands and places differ.
VariantModel toy_model(std::int64_t* calls = nullptr) {
  VariantModel model;
  model.targets = {"gc", "first A"};
  model.score = [calls](const Tensor& codes) {
    std::vector<double> out;
    const auto rows = codes.size(0), length = codes.size(1);
    if (calls) *calls += rows;
    for (std::int64_t i = 0; i < rows; ++i) {
      const auto* p = codes.data<std::uint8_t>() + i * length;
      double gc = 0;
      for (std::int64_t k = 0; k < length; ++k) gc += (p[k] == 1 || p[k] == 2) ? double(k + 1) : 0.0;
      out.push_back(gc / double(length * length));
      out.push_back(p[0] == 0 ? 1.0 : 0.0);
    }
    return out;
  };
  return model;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

std::string unpacked(const std::filesystem::path& path) {
  ByteInput input(path);
  std::string out;
  while (input.next(out)) {
  }
  return out;
}

}  // namespace

TEST_CASE("variants: the eight published haplotypes") {
  TENON_NEEDS_GENOMICS_DATA(data);
  const auto folder = data / "chr22-haplotypes" / "mini";
  int compared = 0;
  for (const std::string name : {"5utr", "3utr"}) {
    const Genome genome = Genome::read(folder / (name + ".fa"));
    const auto expected = read_fasta(folder / (name + ".expected.fa"));
    VcfReader reader(folder / (name + ".vcf"), {&genome, false, true});
    VcfRecord r;
    while (reader.next(r)) {
      Allele allele{reader.contig(), r.position, std::string(r.ref), std::string(r.alts[0])};
      CHECK(match_reference(genome, allele, false) == RefMatch::equal);
      const auto header = std::string(r.contig) + ":" + std::to_string(r.position + 1) + ":" + allele.ref + ":" + allele.alt;
      auto it = std::find_if(expected.begin(), expected.end(), [&](const auto& e) { return e.name == header; });
      REQUIRE(it != expected.end());
      CHECK(apply_allele(genome.letters(0, 0, genome.length(0)), allele) == it->sequence);
      // A window is a piece of the haplotype: from the reference window's left edge on.
      for (std::int64_t length : {1, 2, 5, 40}) {
        const auto left = r.position - length / 2;
        if (left < 0) continue;
        if (left + length > std::int64_t(it->sequence.size())) continue;
        CHECK(alternative_window(genome, allele, length, Pad::error) == it->sequence.substr(std::size_t(left), std::size_t(length)));
      }
      ++compared;
    }
  }
  CHECK(compared == 8);
}

TEST_CASE("variants: windows keep their left edge and their length, at a contig's ends too") {
  test::TestFolder folder;
  const Genome genome = Genome::read(folder.write("x.fa", ">c\nACGTTGCAAT\n"));
  CHECK(reference_window(genome, {0, 4, "T", "A"}, 4, Pad::error) == "GTTG");
  CHECK(alternative_window(genome, {0, 4, "T", "A"}, 4, Pad::error) == "GTAG");
  CHECK(alternative_window(genome, {0, 4, "TGC", "T"}, 4, Pad::error) == "GTTA");
  CHECK(alternative_window(genome, {0, 4, "T", "TCCCC"}, 4, Pad::error) == "GTTC");
  CHECK(alternative_window(genome, {0, 4, "TG", "ca"}, 4, Pad::error) == "GTCA");
  CHECK(alternative_window(genome, {0, 0, "ACG", "A"}, 4, Pad::n) == "NNAT");
  CHECK(alternative_window(genome, {0, 9, "T", "TACGT"}, 6, Pad::n) == "CAATAC");
  std::int64_t padded = 0;
  CHECK(alternative_window(genome, {0, 7, "AAT", "A"}, 6, Pad::n, &padded) == "TGCANN");
  CHECK(padded == 2);
  CHECK(test::code_of([&] { alternative_window(genome, {0, 7, "AAT", "A"}, 6, Pad::error); }) == "genomics.region");
}

TEST_CASE("variants: REF against the genome, as it stands, from the other strand, exchanged") {
  test::TestFolder folder;
  const Genome genome = Genome::read(folder.write("x.fa", ">c\nacgttgcaat\n"));
  auto match = [&](Allele allele, bool flip) {
    auto how = match_reference(genome, allele, flip);
    return std::tuple(how, allele.ref, allele.alt);
  };
  using M = std::tuple<RefMatch, std::string, std::string>;
  CHECK(match({0, 1, "C", "T"}, false) == M{RefMatch::equal, "C", "T"});
  CHECK(match({0, 1, "G", "A"}, false) == M{RefMatch::none, "G", "A"});
  CHECK(match({0, 1, "G", "A"}, true) == M{RefMatch::strand, "C", "T"});
  CHECK(match({0, 1, "T", "C"}, true) == M{RefMatch::swap, "C", "T"});
  CHECK(match({0, 1, "T", "A"}, true) == M{RefMatch::none, "T", "A"});
  CHECK(match({0, 1, "AC", "G"}, true) == M{RefMatch::none, "AC", "G"});
  CHECK(match({0, 1, "AACG", "A"}, true) == M{RefMatch::strand, "CGTT", "T"});
}

TEST_CASE("variants: effects by hand, both strands averaged before the difference") {
  const Effect e = effect_of(0.2, 0.5);
  CHECK(e.difference == Approx(0.3));
  CHECK(e.log_odds == Approx(std::log(4.0)));
  CHECK(effect_of(0, 1).log_odds == Approx(2 * std::log((1 - 1e-6) / 1e-6)));
  EffectBatch both(4, 2, true), forward(4, 2, false);
  for (auto* batch : {&both, &forward}) {
    CHECK(batch->add("ACGT", "ACAT") == 0);
    CHECK(batch->add("ACGT", "TCGT") == 1);
  }
  std::int64_t calls = 0;
  auto name = [](std::size_t i) { return std::to_string(i); };
  auto b = both.score(toy_model(&calls).score, name);
  CHECK(calls == 6);  // one reference and two alternatives, two strands
  // gc of ACGT: (2 + 3) / 16 either way; of ACAT 2 / 16, of ATGT 3 / 16.
  CHECK(b[0][0].reference == Approx(5.0 / 16));
  CHECK(b[0][0].alternative == Approx(2.5 / 16));
  CHECK(b[1][1].reference == Approx(1.0));   // ACGT is its own reverse complement
  CHECK(b[1][1].alternative == Approx(0.5));  // TCGT, ACGA
  auto f = forward.score(toy_model().score, name);
  CHECK(f[0][0].alternative == Approx(2.0 / 16));
  CHECK(f[1][1].difference == Approx(-1.0));
  both.add("ACGT", "ACAT");
  auto error = test::error_of([&] { both.score([](const Tensor& t) { return std::vector<double>(std::size_t(t.size(0) * 2), std::nan("")); }, name); });
  REQUIRE(error);
  CHECK(error->code() == "genomics.not_a_number");
  CHECK(error->where() == "0");
}

TEST_CASE("variants: every row stands in the output, in order, with what was there intact") {
  test::TestFolder folder;
  const Genome genome = Genome::read(folder.write("x.fa", ">c\nACGTTGCAATACGTTGCAATACGTTGCAAT\n"));
  auto path = folder.write("x.vcf", kHead + kColumns +
                                        "c\t15\trs1\tT\tA,TC,<DEL>\t1e3\tPASS\tAC=1,2,3;X\n"
                                        "c\t2\t.\tC\tG\t.\t.\t.\n"
                                        "c\t12\t.\tc\tT\t.\tq\tAC=1\n"
                                        "c\t15\t.\tT\t.\t.\t.\t.\n"
                                        "c\t14\t.\tTTG\tT\t.\t.\t.\n"
                                        "c\t14\t.\tTTG\tCC\t.\t.\t.\n"
                                        "c\t14\t.\tT\tt\t.\t.\t.\n"
                                        "c\t14\t.\tT\tT[c:3[,*\t.\t.\t.\n");
  VariantRules rules;
  rules.length = 8;
  const auto model = toy_model();
  auto counts = score_variants(path, folder.path() / "out.vcf", folder.path() / "out.fa", genome, rules, model, {});
  CHECK(counts.rows == 8);
  CHECK(counts.alleles == 11);
  CHECK(counts.scored == 5);
  CHECK(counts.skipped == std::map<std::string, std::int64_t>{{"symbolic", 1}, {"edge", 1}, {"missing", 1}, {"same_as_ref", 1}, {"breakend", 1}, {"star", 1}});
  CHECK(counts.undeclared == std::map<std::string, std::int64_t>{{"FILTER q", 1}, {"INFO X", 1}});
  const auto in = lines_of(test::read_whole(path)), out = lines_of(test::read_whole(folder.path() / "out.vcf"));
  REQUIRE(out.size() == in.size() + 9);
  for (std::size_t i = 0; i < 3; ++i) CHECK(out[i] == in[i]);
  CHECK(out[12] == in[3]);
  CHECK_THAT(out[3], Catch::StartsWith("##INFO=<ID=TENON_REF_gc,Number=A,Type=Float,"));
  CHECK_THAT(out[10], Catch::StartsWith("##INFO=<ID=TENON_LOGODDS_first_A,Number=A,Type=Float,"));
  for (std::size_t i = 4; i < in.size(); ++i) {
    INFO(in[i]);
    const auto info = in[i].rfind('\t') + 1;
    const auto& row = out[i + 9];
    const bool none = in[i].substr(info) == ".";
    CHECK(row.substr(0, info) == in[i].substr(0, info));
    if (!none) CHECK(row.substr(info, in[i].size() - info + 1) == in[i].substr(info) + ";");
    CHECK_THAT(row.substr(info), Catch::Contains("TENON_"));
  }
  CHECK_THAT(out[13], Catch::EndsWith(";TENON_SKIP=.,.,symbolic"));
  CHECK_THAT(out[14], Catch::EndsWith("\tTENON_SKIP=edge"));
  // The first row's scores against the definition.
  Allele allele{0, 14, "T", "A"};
  auto gc = [&](const std::string& w) {
    double sum = 0;
    for (std::size_t k = 0; k < w.size(); ++k) sum += (w[k] == 'C' || w[k] == 'G') ? double(k + 1) : 0;
    return sum / 64;
  };
  auto mean = [&](const std::string& w) { return (gc(w) + gc(reverse_complement(w))) / 2; };
  const double difference = mean(alternative_window(genome, allele, 8, Pad::error)) - mean(reference_window(genome, allele, 8, Pad::error));
  CHECK_THAT(out[13], Catch::Contains("TENON_DIFF_gc=" + [&] {
               std::ostringstream s;
               s.precision(6);
               s << difference;
               return s.str();
             }() + ","));
  CHECK(read_fasta(folder.path() / "out.fa").size() == 5);

  // BGZF by name, the same text; the same for a second run.
  score_variants(path, folder.path() / "out.vcf.gz", {}, genome, rules, model, {});
  CHECK(unpacked(folder.path() / "out.vcf.gz") == test::read_whole(folder.path() / "out.vcf"));
  // Our own output is refused as input, for its keys would clash.
  CHECK(test::code_of([&] { score_variants(folder.path() / "out.vcf", folder.path() / "again.vcf", {}, genome, rules, model, {}); }) == "genomics.exists");
  CHECK(!std::filesystem::exists(folder.path() / "again.vcf"));
}

TEST_CASE("variants: REF policies: error, skip, flip") {
  test::TestFolder folder;
  const Genome genome = Genome::read(folder.write("x.fa", ">c\nACGTTGCAATACGTTGCAATACGTTGCAAT\n"));
  auto path = folder.write("x.vcf", kHead + kColumns + "c\t15\t.\tT\tC\t.\t.\t.\nc\t15\t.\tA\tC\t.\t.\t.\nc\t15\t.\tC\tT,G\t.\t.\t.\n");
  VariantRules rules;
  rules.length = 8;
  auto error = test::error_of([&] { score_variants(path, folder.path() / "o.vcf", {}, genome, rules, toy_model(), {}); });
  REQUIRE(error);
  CHECK(error->code() == "genomics.ref_mismatch");
  CHECK_THAT(error->where(), Catch::Contains("record 2"));
  CHECK(error->message() == "REF is 'A', the reference has 'T' at c:15");
  CHECK(!std::filesystem::exists(folder.path() / "o.vcf"));
  rules.mismatch = OnMismatch::skip;
  auto counts = score_variants(path, folder.path() / "o.vcf", {}, genome, rules, toy_model(), {});
  CHECK(counts.skipped == std::map<std::string, std::int64_t>{{"ref_mismatch", 3}});
  rules.mismatch = OnMismatch::flip;
  counts = score_variants(path, folder.path() / "f.vcf", {}, genome, rules, toy_model(), {});
  CHECK(counts.other_strand == 1);
  CHECK(counts.exchanged == 1);
  CHECK(counts.skipped == std::map<std::string, std::int64_t>{{"ref_mismatch", 1}});
  auto out = lines_of(test::read_whole(folder.path() / "f.vcf"));
  CHECK_THAT(out[out.size() - 2], Catch::EndsWith("TENON_FLIP=strand"));
  CHECK_THAT(out[out.size() - 1], Catch::EndsWith("TENON_SKIP=.,ref_mismatch;TENON_FLIP=swap,."));
}

TEST_CASE("variants: the valid edges and the skippable alleles of the corrupt folder") {
  TENON_NEEDS_GENOMICS_DATA(data);
  test::TestFolder folder;
  const Genome genome = Genome::read(data / "corrupt" / "good" / "ref.fa");
  VariantRules rules;
  rules.length = 41;
  rules.edge = OnEdge::n;
  auto counts = score_variants(data / "corrupt" / "vcf" / "valid_edges.vcf", folder.path() / "a.vcf", {}, genome, rules, toy_model(), {});
  CHECK(counts.scored == 5);
  CHECK(counts.padded > 0);
  rules.edge = OnEdge::skip;
  counts = score_variants(data / "corrupt" / "vcf" / "valid_edges.vcf", folder.path() / "b.vcf", {}, genome, rules, toy_model(), {});
  CHECK(counts.skipped.at("edge") == 3);
  rules.edge = OnEdge::error;
  CHECK(test::code_of([&] { score_variants(data / "corrupt" / "vcf" / "valid_edges.vcf", folder.path() / "c.vcf", {}, genome, rules, toy_model(), {}); }) == "genomics.region");
  CHECK(!std::filesystem::exists(folder.path() / "c.vcf"));
  counts = score_variants(data / "corrupt" / "vcf" / "skippable_alleles.vcf", folder.path() / "d.vcf", {}, genome, rules, toy_model(), {});
  CHECK(counts.rows == 4);
  CHECK(counts.skipped == std::map<std::string, std::int64_t>{{"symbolic", 1}, {"star", 1}, {"missing", 1}, {"breakend", 1}});
  rules.edge = OnEdge::skip;
  for (const char* cut : {"half.vcf.gz", "half_many_blocks.vcf.gz"}) {
    CHECK(test::code_of([&] { score_variants(data / "corrupt" / "vcf" / cut, folder.path() / "e.vcf.gz", {}, genome, rules, toy_model(), {}); }) == "genomics.bgzf");
    CHECK(!std::filesystem::exists(folder.path() / "e.vcf.gz"));
  }
}

TEST_CASE("variants: NIST's records of NA12878 on hg19, none lost") {
  TENON_NEEDS_GENOMICS_DATA(data);
  test::TestFolder folder;
  const Genome genome = Genome::read(data / "hg19-chr20" / "ucsc.hg19.chr20.unittest.fasta.gz");
  CHECK(genome.length(0) == 63025520);
  VariantRules rules;
  rules.length = 201;
  auto counts = score_variants(data / "hg19-chr20" / "test_nist.b37_chr20_100kbp_at_10mb.vcf.gz", folder.path() / "o.vcf.gz", {}, genome, rules, toy_model(), {});
  CHECK(counts.rows == 221);
  CHECK(counts.alleles == 222);
  CHECK(counts.scored == 222);
  VcfReader reader(folder.path() / "o.vcf.gz", {&genome, false, true});
  VcfRecord r;
  std::int64_t rows = 0;
  while (reader.next(r)) ++rows;
  CHECK(rows == 221);
}

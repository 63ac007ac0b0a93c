#include "genomics/io/genome.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <thread>

#include "genomics/io/bed.hpp"
#include "genomics/io/fasta.hpp"
#include "genomics/io/letters.hpp"
#include "genomics/io/region.hpp"
#include "genomics/shared_data.hpp"
#include "genomics/test_files.hpp"
#include "tenon/kernel.hpp"

using namespace tenon;
using namespace tenon::genomics;

TEST_CASE("genome: letters come back as they stand, codes by the rule, at every place") {
  test::TestFolder folder;
  const std::string a = "ACGTNNNNacgtnnRYKMuUACGGTTACAGTTTTGACNACGT", b = "GGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGG";
  auto path = folder.write("x.fa", ">a first\n" + a.substr(0, 20) + "\n" + a.substr(20, 20) + "\n" + a.substr(40) + "\n>b\n" + b + "\n");
  const Genome genome = Genome::read(path);
  REQUIRE(genome.contigs() == 2);
  CHECK(genome.name(0) == "a");
  CHECK(genome.length(0) == std::int64_t(a.size()));
  CHECK(genome.letters(1, 0, genome.length(1)) == b);
  for (std::int64_t begin = 0; begin <= genome.length(0); ++begin) {
    for (std::int64_t end = begin; end <= genome.length(0); ++end) {
      const auto part = a.substr(std::size_t(begin), std::size_t(end - begin));
      REQUIRE(genome.letters(0, begin, end) == part);
      std::vector<std::uint8_t> codes(part.size()), wanted;
      genome.codes(0, begin, end, codes);
      for (char c : part) wanted.push_back(base_code(c));
      REQUIRE(codes == wanted);
    }
  }
}

TEST_CASE("genome: past the ends of a contig comes an error, or N, counted") {
  test::TestFolder folder;
  const Genome genome = Genome::read(folder.write("x.fa", ">a\nACGTACGT\n"));
  CHECK(test::code_of([&] { genome.letters(0, -1, 3); }) == "genomics.region");
  CHECK(test::code_of([&] { genome.letters(0, 5, 9); }) == "genomics.region");
  std::int64_t padded = 0;
  CHECK(genome.letters(0, -2, 10, Pad::n, &padded) == "NNACGTACGTNN");
  CHECK(padded == 4);
  CHECK(genome.letters(0, 20, 23, Pad::n, &padded) == "NNN");
  CHECK(genome.letters(0, -9, -5, Pad::n, &padded) == "NNNN");
  CHECK(padded == 11);
  std::vector<std::uint8_t> codes(4);
  genome.codes(0, 6, 10, codes, Pad::n);
  CHECK(codes == std::vector<std::uint8_t>{2, 3, 4, 4});
  // The window about p has p at index L / 2, for even and odd lengths.
  CHECK(window_about(0, 5, 4).begin == 3);
  CHECK(window_about(0, 5, 4).end == 7);
  CHECK(window_about(0, 5, 5).begin == 3);
  CHECK(window_about(0, 5, 5).end == 8);
}

TEST_CASE("genome: an unknown contig names the nearest, aliases only on request") {
  test::TestFolder folder;
  const Genome genome = Genome::read(folder.write("x.fa", ">chr1\nACGT\n>chr22\nACGT\n>X\nAC\n"));
  auto error = test::error_of([&] { genome.find("chr2"); });
  REQUIRE(error);
  CHECK(error->code() == "genomics.contig");
  CHECK_THAT(error->hint(), Catch::Contains("chr22"));
  CHECK(test::code_of([&] { genome.find("1"); }) == "genomics.contig");
  CHECK(genome.find("1", true) == 0);
  CHECK(genome.find("chrX", true) == 2);
}

TEST_CASE("genome: CRLF, a missing last newline, BGZF and gzip hold the same sequences") {
  TENON_NEEDS_GENOMICS_DATA(data);
  const auto folder = data / "corrupt";
  const Genome good = Genome::read(folder / "good" / "ref.fa");
  for (const char* name : {"good/ref.fa.gz", "fasta/crlf.fa", "fasta/no_final_newline.fa", "fasta/plain_gzip.fa.gz"}) {
    INFO(name);
    const Genome other = Genome::read(folder / name);
    REQUIRE(other.contigs() == good.contigs());
    for (std::size_t c = 0; c < good.contigs(); ++c) {
      CHECK(other.name(c) == good.name(c));
      CHECK(other.letters(c, 0, other.length(c)) == good.letters(c, 0, good.length(c)));
    }
  }
}

TEST_CASE("genome: random windows depend on seed and index alone, avoid N, and reach every place") {
  test::TestFolder folder;
  const Genome genome = Genome::read(folder.write("x.fa", ">a\nACGTNACGTACGTNNNACGTA\n>b\nAC\n>c\nGGGTTT\n"));
  WindowSampler sampler(genome, 4, Random(1, 2));
  CHECK(sampler.places() == 1 + 5 + 2 + 3);
  std::map<std::pair<std::size_t, std::int64_t>, int> seen;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const Window w = sampler.at(i);
    CHECK(genome.letters(w.contig, w.begin, w.end).find('N') == std::string::npos);
    ++seen[{w.contig, w.begin}];
  }
  CHECK(seen.size() == 11);
  for (const auto& [place, n] : seen) CHECK(std::abs(n - 182) < 70);
  const Tensor all = sampler.codes(0, 100), later = sampler.codes(40, 60);
  CHECK(std::equal(later.span<std::uint8_t>().begin(), later.span<std::uint8_t>().end(), all.span<std::uint8_t>().begin() + 160));
  CHECK(test::code_of([&] { WindowSampler(genome, 9, Random(1, 2)); }) == "genomics.region");
}

TEST_CASE("genome: any number of threads may cut windows") {
  TENON_NEEDS_GENOMICS_DATA(data);
  const Genome genome = Genome::read(data / "corrupt" / "good" / "ref.fa");
  WindowSampler sampler(genome, 200, Random(5, 5));
  const Tensor alone = sampler.codes(0, 400);
  std::vector<std::vector<std::uint8_t>> parts(4);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      SerialScope serial;
      const Tensor part = sampler.codes(t * 100, 100);
      parts[t].assign(part.span<std::uint8_t>().begin(), part.span<std::uint8_t>().end());
    });
  for (auto& thread : threads) thread.join();
  for (std::size_t t = 0; t < 4; ++t) CHECK(std::equal(parts[t].begin(), parts[t].end(), alone.span<std::uint8_t>().begin() + std::ptrdiff_t(t * 20000)));
}

TEST_CASE("genome: an index beside the file is compared with all of it") {
  test::TestFolder folder;
  auto path = folder.write("x.fa", ">a\nACGTA\nACG\n>b\nACGT\n");
  auto with = [&](const char* index) {
    folder.write("x.fa.fai", index);
    return test::code_of([&] { Genome::read(path); });
  };
  CHECK(with("a\t8\t3\t5\t6\nb\t4\t16\t4\t5\n") == "none");
  CHECK(with("a\t8\t3\t5\t6\nb\t4\t16\t4\t4\n") == "none");  // of one line: writers differ
  CHECK(with("a\t8\t3\t5\t6\n") == "genomics.stale_index");
  CHECK(with("a\t8\t3\t5\t6\nb\t4\t15\t4\t5\n") == "genomics.stale_index");
  CHECK(with("a\t8\t3\t4\t5\nb\t4\t16\t4\t5\n") == "genomics.stale_index");
  CHECK(with("a\t8\t3\t5\t6\nc\t4\t16\t4\t5\n") == "genomics.stale_index");
  CHECK(with("a\t8\t3\t5\t6\nb\t5\t16\t4\t5\n") == "genomics.stale_index");
  CHECK(with("a\t8\t3\t5\n") == "genomics.index");
  CHECK(with("a\t8\t3\t5\t6\t7\n") == "genomics.index");
  CHECK(with("a\t99999999999999999999\t3\t5\t6\n") == "genomics.index");
  CHECK(with("") == "genomics.stale_index");
}

TEST_CASE("genome: an index names the first word of a header, whatever stands behind it") {
  test::TestFolder folder;
  const auto path = folder.write("set.fa", ">s1 first sequence\nACGT\n>s2\tsecond\nGGGT\n>s1 again\nAC\n");
  const auto read = [&] { return read_fasta(path); };
  folder.write("set.fa.fai", "s1\t4\t19\t4\t5\ns2\t4\t35\t4\t5\n");  // of two records of one name samtools lists the first
  const auto records = read();
  REQUIRE(records.size() == 3);
  CHECK(records[0].name == "s1 first sequence");
  CHECK(records[1].name == "s2 second");
  CHECK(records[2].name == "s1 again");
  folder.write("set.fa.fai", "s1\t4\t19\t4\t5\ns3\t4\t35\t4\t5\n");
  CHECK(test::code_of(read) == "genomics.stale_index");
}

TEST_CASE("text: a byte-order mark is named, not taken into the first name") {
  test::TestFolder folder;
  const std::string mark = "\xef\xbb\xbf";
  for (const char* name : {"a.fa", "a.bed"}) {
    const auto path = folder.write(name, mark + (std::string(name) == "a.fa" ? ">c\nACGT\n" : "c\t0\t10\n"));
    CHECK(test::code_of([&] {
      if (std::string(name) == "a.fa") read_fasta(path);
      else read_bed(path);
    }) == "genomics.byte_order_mark");
  }
}

TEST_CASE("region: as people write them, counted from 1, both ends included") {
  test::TestFolder folder;
  const Genome genome = Genome::read(folder.write("x.fa", ">chr1\nACGTACGTAC\n>HLA:A\nACGT\n>HLA:A:1-2\nGG\n"));
  auto region = [&](const char* text) {
    auto w = parse_region(text, genome);
    return std::tuple(w.contig, w.begin, w.end);
  };
  using R = std::tuple<std::size_t, std::int64_t, std::int64_t>;
  CHECK(region("chr1") == R{0, 0, 10});
  CHECK(region("chr1:3") == R{0, 2, 10});
  CHECK(region("chr1:3-5") == R{0, 2, 5});
  CHECK(region("chr1:1-1,000") == R{0, 0, 1000});
  CHECK(region("HLA:A") == R{1, 0, 4});
  CHECK(region("HLA:A:2-3") == R{1, 1, 3});
  CHECK(region("{HLA:A:1-2}") == R{2, 0, 2});
  CHECK(region("{HLA:A}:1-2") == R{1, 0, 2});
  for (const char* bad : {"chr1:0-3", "chr1:5-3", "chr1:x-3", "chr1:-3", "chr1:", "chr1:11", "{HLA:A", "chr1:1-99999999999999999999"})
    CHECK(test::code_of([&] { parse_region(bad, genome); }) == "genomics.region");
  CHECK(test::code_of([&] { parse_region("chr2:1-3", genome); }) == "genomics.contig");
  const auto both = test::error_of([&] { parse_region("HLA:A:1-2", genome); });
  REQUIRE(both);
  CHECK(both->code() == "genomics.region");
  CHECK(both->message() == "'HLA:A:1-2' is a contig, and also 1-2 of the contig 'HLA:A'");
  CHECK(both->hint() == "write {HLA:A:1-2} for the whole contig, {HLA:A}:1-2 for the region");
  const Genome aliased = Genome::read(folder.write("y.fa", ">chr1\nACGT\n>1:2\nAC\n>2:3\nAC\n"));
  CHECK(parse_region("1:2", aliased).contig == 1);
  CHECK(test::code_of([&] { parse_region("1:2", aliased, true); }) == "genomics.region");
  CHECK(parse_region("2:3", aliased, true).contig == 2);
}

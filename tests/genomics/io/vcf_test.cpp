// VCF rows and headers that other programs misread, and those with one meaning all the same.
#include "genomics/io/vcf.hpp"

#include <catch2/catch.hpp>

#include "genomics/test_files.hpp"

using namespace tenon;
using namespace tenon::genomics;

namespace {

const std::string kMeta =
    "##contig=<ID=c,length=100>\n##INFO=<ID=DP,Number=1,Type=Integer,Description=\"x\">\n##INFO=<ID=AF,Number=A,Type=Float,Description=\"x\">\n"
    "##INFO=<ID=S,Number=1,Type=String,Description=\"a > b\">\n##INFO=<ID=DB,Number=0,Type=Flag,Description=\"x\">\n"
    "##FORMAT=<ID=GT,Number=1,Type=String,Description=\"x\">\n##FORMAT=<ID=AD,Number=R,Type=Integer,Description=\"x\">\n##FORMAT=<ID=GQ,Number=1,Type=Float,Description=\"x\">\n";

using Warnings = std::map<std::string, std::int64_t>;

/// A file of one row, read whole: its warnings.
Warnings read(const std::string& row, const std::string& more_meta = "", const std::string& version = "4.2") {
  test::TestFolder folder;
  VcfReader reader(folder.write("x.vcf", "##fileformat=VCFv" + version + "\n" + kMeta + more_meta + "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts\n" + row + "\n"));
  VcfRecord record;
  while (reader.next(record)) {
  }
  return reader.warnings();
}

std::string with_info(const std::string& info) { return "c\t5\t.\tA\tC\t.\t.\t" + info + "\tGT\t0/1"; }
std::string with_sample(const std::string& format, const std::string& sample) { return "c\t5\t.\tA\tC\t.\t.\t.\t" + format + "\t" + sample; }
std::string with_alt(const std::string& alt, const std::string& qual = ".") { return "c\t5\t.\tA\t" + alt + "\t" + qual + "\t.\t.\tGT\t0/1"; }

void refuses(const std::string& row, const std::string& message) {
  INFO(row);
  const auto error = test::error_of([&] { read(row); });
  REQUIRE(error);
  CHECK(error->code() == "genomics.vcf");
  CHECK_THAT(error->message(), Catch::Contains(message));
  CHECK_THAT(error->where(), Catch::Contains("x.vcf:11: record 1"));
}

}  // namespace

TEST_CASE("vcf: values that the header's types do not hold are refused in samples, counted in INFO") {
  CHECK(read(with_info("DP=1.5")) == Warnings{{"INFO DP holds what is no Integer, which other programs take for missing or cut short", 1}});
  CHECK(read(with_info("AF=abc")) == Warnings{{"INFO AF holds what is no Float, which other programs take for missing or cut short", 1}});
  refuses(with_sample("GT:AD", "0/1:3,x"), "FORMAT AD is 'x'");
  refuses(with_sample("GT:GQ", "0/1:z"), "FORMAT GQ is 'z'");
  CHECK(read(with_info("DP=+12;AF=1e-3;S=1.5x;DB")).empty());
  CHECK(read(with_info("AF=NaN;DP=.")).empty());
  CHECK(read("c\t5\t.\tA\tC,G\t.\t.\tAF=inf,-1E400\tGT\t0/1").empty());
  CHECK(read(with_sample("GT:AD:GQ", "0/1:3,.")).empty());
}

TEST_CASE("vcf: more values than FORMAT names, and keys that stand twice") {
  refuses(with_sample("GT:AD", "0/1:3,4:5"), "sample 's' has 3 values, FORMAT names 2");
  refuses(with_sample("GT", "0/1:3"), "sample 's' has 2 values, FORMAT names 1");
  refuses(with_sample("AD", "3:3"), "sample 's' has 2 values");
  refuses(with_sample("GT:GT", "0/1:1/1"), "FORMAT names GT twice");
  refuses(with_info("DP=1;DP=2"), "INFO DP stands twice, as '1' and as '2'");
  CHECK(read(with_info("DP=1;DP=1")) == Warnings{{"INFO DP stands twice in a row, with one value", 1}});
}

TEST_CASE("vcf: blanks and NUL bytes") {
  refuses(with_info("DP=1; AF=0.5"), "a blank in the INFO key ' AF'");
  refuses(with_info("=3"), "a value without a key");
  refuses(with_info(std::string("S=a\0b", 5)), "a NUL byte");
  refuses(std::string("c\t5\tn\0\tA\tC\t.\t.\t.\tGT\t0/1", 26), "a NUL byte");
  CHECK(read(with_info("S=a b")) == Warnings{{"INFO S holds blanks, which VCF allows from version 4.3 on", 1}});
  CHECK(read(with_info("S=a b"), "", "4.3").empty());
}

TEST_CASE("vcf: alleles and qualities against the specification, with one meaning") {
  CHECK(read(with_alt("C,c")) == Warnings{{"ALT names an allele twice", 1}});
  CHECK(read(with_alt("C", "-3")) == Warnings{{"QUAL is negative", 1}});
  CHECK(read(with_alt("C", "inf")) == Warnings{{"QUAL is infinite", 1}});
  CHECK(read(with_info("DP;DB=1")) == Warnings{{"INFO DB is a Flag and has a value", 1}, {"INFO DP has no value", 1}});
  CHECK(read(with_info("DP=99999999999")).size() == 1);
}

TEST_CASE("vcf: breakends have bases on one side and a place between two brackets of a kind") {
  for (const char* good : {"A[c:9[", "A]c:9]", "]c:9]A", "[c:9[A", "AT[c:9[", "]<ctg:1>:9]A", ".[c:9[", "A.", ".A"}) {
    INFO(good);
    CHECK(read(with_alt(good)).empty());
  }
  for (const char* bad : {"]c:9]", "[c:9[", "A[c:9]", "A[c:9[A", "A[c[", "A[c:x[", "A[:9[", "A[c:9", "X1[c:9["}) refuses(with_alt(bad), "is no allele");
}

TEST_CASE("vcf: header lines are whole and declare a key in one way") {
  const auto header = [](const std::string& line) {
    const auto error = test::error_of([&] { read(with_alt("C"), line); });
    return error ? error->code() + " " + error->message() : "none";
  };
  CHECK_THAT(header("##FILTER=<ID=q,Description=\"x\"\n"), Catch::StartsWith("genomics.vcf_header") && Catch::Contains("does not end in '>'"));
  CHECK_THAT(header("##INFO=<ID=DP,Number=1,Type=String,Description=\"x\">\n"), Catch::Contains("INFO DP is declared twice: 1 values of Integer, 1 of String"));
  CHECK_THAT(header("##INFO=<Number=1,Type=String>\n"), Catch::Contains("INFO without ID"));
  CHECK_THAT(header(std::string("##source=a\0b\n", 13)), Catch::Contains("a NUL byte"));
  CHECK(header("##source=a=<b\n##\n##x\n") == "none");
  CHECK(read(with_alt("C"), "##FORMAT=<ID=AD,Number=R,Type=Integer,Description=\"again\">\n") == Warnings{{"FORMAT AD is declared twice", 1}});
}

TEST_CASE("vcf: as many values as Number asks for, ends within the contig, and filters") {
  const std::string more = "##INFO=<ID=END,Number=1,Type=Integer,Description=\"x\">\n##FORMAT=<ID=PL,Number=G,Type=Integer,Description=\"x\">\n##FILTER=<ID=q10,Description=\"x\">\n";
  CHECK(read("c\t5\t.\tA\tC,G\t.\t.\tAF=0.1\tGT\t0/1") == Warnings{{"INFO AF has another number of values than its Number=A asks for", 1}});
  CHECK(read("c\t5\t.\tA\tC,G\t.\t.\tAF=0.1,0.2\tGT\t0/1").empty());
  CHECK(read(with_info("AF=.")).empty());
  CHECK(read(with_info("DP=3,4")) == Warnings{{"INFO DP has another number of values than its Number=1 asks for", 1}});
  CHECK(read(with_sample("GT:AD", "0/1:3")) == Warnings{{"FORMAT AD has another number of values than its Number=R asks for", 1}});
  for (const char* good : {"0/1:1,2,3", "1:1,2", "0/1:."}) CHECK(read("c\t5\t.\tA\tC\t.\t.\t.\tGT:PL\t" + std::string(good), more, "4.2").empty());
  test::TestFolder folder;
  const auto warned = [&](const std::string& row) {
    VcfReader reader(folder.write("y.vcf", "##fileformat=VCFv4.2\n" + kMeta + more + "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts\n" + row + "\n"));
    VcfRecord record;
    while (reader.next(record)) {
    }
    return reader.warnings();
  };
  CHECK(warned("c\t5\t.\tA\tC\t.\t.\t.\tGT:PL\t0/1:1,2,3,4") == Warnings{{"FORMAT PL has another number of values than its Number=G asks for", 1}});
  CHECK(warned("c\t50\t.\tA\t<DEL>\t.\t.\tEND=5\tGT\t0/1") == Warnings{{"INFO END lies before POS, and other programs ignore it", 1}});
  CHECK(warned("c\t50\t.\tA\t<DEL>\t.\t.\tEND=101\tGT\t0/1") == Warnings{{"INFO END lies past the end of its contig", 1}});
  CHECK(warned("c\t50\t.\tA\t<DEL>\t.\t.\tEND=100\tGT\t0/1").empty());
  CHECK(warned("c\t5\t.\tA\tC\t.\tPASS;q10\t.\tGT\t0/1") == Warnings{{"FILTER holds PASS beside filters that were not passed", 1}});
  CHECK(warned("c\t5\t.\tA\tC\t.\tq10\t.\tGT\t0/1").empty());
  refuses("c\t5\t\tA\tC\t.\t.\t.\tGT\t0/1", "ID is empty");
}

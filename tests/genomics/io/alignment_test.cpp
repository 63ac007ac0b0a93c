// Headers, mates and optional fields of SAM and BAM that are damaged in themselves, with all lengths right.
#include "genomics/io/alignment.hpp"

#include <catch2/catch.hpp>

#include "genomics/io/bgzf_output.hpp"
#include "genomics/test_files.hpp"

using namespace tenon;
using namespace tenon::genomics;

namespace {

/// "" or the message of the refusal.
std::string message_of(const std::filesystem::path& path) {
  const auto error = test::error_of([&] { check_alignments(path); });
  if (error) CHECK(error->code() == "genomics.alignment");
  return error ? error->message() : "";
}

std::string sam(const std::string& mate, const std::string& tags, const std::string& header = "@HD\tVN:1.6\n@SQ\tSN:c\tLN:100\n") {
  test::TestFolder folder;
  return message_of(folder.write("x.sam", header + "r\t0\tc\t5\t60\t4M\t" + mate + "\t0\tACGT\tIIII" + tags + "\n"));
}

std::string number(std::uint32_t v, int bytes = 4) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += char(v >> (8 * i));
  return out;
}

struct Bam {
  std::string header = "@SQ\tSN:c\tLN:100\n", name = std::string("c\0", 2), tags;
  std::uint32_t length = 100, mate = ~0u, mate_position = ~0u;
};

std::string bam(const Bam& b) {
  const std::string record = number(0) + number(10) + "\2" + "\x3c" + number(4680, 2) + number(1, 2) + number(0, 2) + number(4) + number(b.mate) + number(b.mate_position) + number(0) +
                             std::string("r\0", 2) + number(4 << 4) + "\x12\x48" + "IIII" + b.tags;
  test::TestFolder folder;
  const auto packed = folder.path() / "x.gz", path = folder.path() / "x.bam";
  TextOutput out(packed);
  out.write("BAM\1" + number(std::uint32_t(b.header.size())) + b.header + number(1) + number(std::uint32_t(b.name.size())) + b.name + number(b.length) + number(std::uint32_t(record.size())) + record);
  out.commit();
  std::filesystem::rename(packed, path);
  return message_of(path);
}

std::string bytes(const char* text, std::size_t n) { return {text, n}; }

}  // namespace

TEST_CASE("sam: the mate's contig is in the header, and so is every contig's length") {
  for (const char* mate : {"*\t0", "=\t9", "c\t9"}) CHECK(sam(mate, "") == "");
  CHECK_THAT(sam("d\t9", ""), Catch::Contains("the header has no contig 'd'"));
  for (const char* header : {"@SQ\tLN:100\n", "@SQ\tSN:c\n", "@SQ\n", "@SQ\tSN:c\tLN:x\n", "@SQ\tSN:c\tLN:0\n"}) {
    INFO(header);
    CHECK_THAT(sam("*\t0", "", header), Catch::Contains("@SQ"));
  }
  CHECK_THAT(sam("*\t0", "", bytes("@CO\ta\0b\n@SQ\tSN:c\tLN:100\n", 25)), Catch::Contains("a NUL byte"));
  CHECK_THAT(sam("*\t0", bytes("\tXA:Z:a\0b", 10)), Catch::Contains("a NUL byte"));
}

TEST_CASE("sam: optional fields are of their types") {
  CHECK(sam("*\t0", "\tNM:i:-3\tXI:i:4294967295\tXA:A:!\tXF:f:-1.5e3\tXZ:Z:a b:c\tYZ:Z:\tXH:H:1AE3\tXB:B:c,-1,127\tXC:B:f,1.5,inf\tXD:B:S") == "");
  for (const char* bad : {"", "NM", "NM:i", "NM:3", "N:i:3", "1N:i:3", "NM-i:3", "NM i 3"}) CHECK_THAT(sam("*\t0", std::string("\t") + bad), Catch::Contains("is no TAG:TYPE:VALUE"));
  CHECK_THAT(sam("*\t0", "\tNM:q:3"), Catch::Contains("none of A i f Z H B"));
  for (const char* bad : {"NM:i:x", "NM:i:", "NM:i:3.5", "NM:i:4294967296", "XA:A:ab", "XA:A:", "XF:f:x", "XH:H:1AE", "XH:H:xx", "XB:B:", "XB:B:q,1", "XB:B:c,128", "XB:B:C,-1", "XB:B:c1", "XB:B:c,", "XZ:Z:\x01"}) {
    INFO(bad);
    CHECK_THAT(sam("*\t0", std::string("\t") + bad), Catch::Contains("holds no value of type"));
  }
}

TEST_CASE("sam: a field stands once, @HD first, and what has no position is not mapped") {
  CHECK(sam("*\t0", "\tNM:i:1\tNM:i:1") == "record 1: its field NM stands twice");
  CHECK(sam("*\t0", "\tNM:i:1\tMD:Z:4") == "");
  CHECK(sam("*\t0", "", "@SQ\tSN:c\tLN:100\n@HD\tVN:1.6\n") == "record 1: @HD is not the header's first line");
  CHECK(sam("*\t0", "", "@HD\tVN:1.6\n@HD\tVN:1.6\n@SQ\tSN:c\tLN:100\n") == "record 1: @HD is not the header's first line");
  test::TestFolder folder;
  const auto path = folder.write("y.sam", "@SQ\tSN:c\tLN:100\nr\t0\tc\t0\t60\t*\t*\t0\t0\tACGT\tIIII\ns\t0\tc\t5\t60\t4M\t*\t0\t0\tACGT\tIIII\n");
  CHECK(check_alignments(path).records == 2);
  CHECK(check_alignments(path).mapped == 1);
}

TEST_CASE("bam: the mate's contig, the header and the contigs") {
  CHECK(bam({}) == "");
  CHECK(bam({.mate = 0, .mate_position = 20}) == "");
  CHECK(bam({.header = bytes("@SQ\tSN:c\tLN:100\n\0\0", 19)}) == "");
  CHECK(bam({.header = ""}) == "");
  CHECK_THAT(bam({.mate = 1}), Catch::Contains("its mate is on contig 1 of 1"));
  CHECK_THAT(bam({.mate = ~1u}), Catch::Contains("its mate is on contig -2 of 1"));
  CHECK_THAT(bam({.mate_position = ~4u}), Catch::Contains("its mate's position -4"));
  CHECK_THAT(bam({.header = bytes("@CO\ta\0b\n", 8)}), Catch::Contains("a NUL byte in the header"));
  CHECK_THAT(bam({.header = "@SQ\tSN:c\n"}), Catch::Contains("an @SQ line without SN or LN"));
  CHECK_THAT(bam({.header = "@SQ\tLN:100\n"}), Catch::Contains("an @SQ line without SN or LN"));
  CHECK_THAT(bam({.name = "cc"}), Catch::Contains("the name of contig 1 does not end"));
  CHECK_THAT(bam({.name = bytes("a\0c\0", 4)}), Catch::Contains("holds a NUL byte"));
  CHECK_THAT(bam({.length = ~0u}), Catch::Contains("contig 'c' of -1 bases"));
}

TEST_CASE("bam: optional fields are whole") {
  CHECK(bam({.tags = bytes("NMC\3XAA!XZZa b\0XSs\1\2XFf\0\0\0\0XBBs\2\0\0\0\1\0\2\0XHH1A\0", 45)}) == "");
  for (const auto& bad : {bytes("NM", 2), bytes("NMi", 3), bytes("NMi\1\0\0", 6), bytes("XZZabc", 6), bytes("NMq\1", 4), bytes("1MC\1", 4), bytes("XAA\0", 4), bytes("XHH1\0", 5),
                          bytes("XBBs\3\0\0\0\1\0\2\0", 12), bytes("XBBA\1\0\0\0a", 9), bytes("XBBi\377\377\377\377a", 9), bytes("NMC\3\0", 5)}) {
    INFO(bad);
    CHECK_THAT(bam({.tags = bad}), Catch::Contains("its "));
  }
}

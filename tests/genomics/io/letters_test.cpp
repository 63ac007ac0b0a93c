#include "genomics/io/letters.hpp"

#include <catch2/catch.hpp>

#include "tenon/error.hpp"

using namespace tenon;
using namespace tenon::genomics;

TEST_CASE("letters: codes in either case, U is T, IUPAC codes are unknown, the rest is refused") {
  std::string letters = "ACGTUacgtu";
  std::uint8_t codes[] = {0, 1, 2, 3, 3, 0, 1, 2, 3, 3};
  for (std::size_t i = 0; i < letters.size(); ++i) CHECK(base_code(letters[i]) == codes[i]);
  for (char c : std::string("RYSWKMBDHVNryswkmbdhvn")) CHECK(base_code(c) == kUnknownBase);
  int accepted = 0;
  for (int c = 0; c < 256; ++c) accepted += base_code(char(c)) != kNoBase;
  CHECK(accepted == 32);
}

TEST_CASE("letters: the reverse complement follows the IUPAC table, keeps case, and is its own inverse") {
  CHECK(reverse_complement("ACGTNacgtn") == "nacgtNACGT");
  CHECK(reverse_complement("RYSWKMBDHV") == "BDHVKMWSRY");
  std::string s = "ACGTRYSWKMBDHVNacgtryswkmbdhvn";
  CHECK(reverse_complement(reverse_complement(s)) == s);
  CHECK_THROWS_AS(reverse_complement("AC!"), Error);
}

TEST_CASE("letters: what is no nucleotide is named with its position, protein is recognised") {
  try {
    require_nucleotides("ACGTZ", "x.fa: record 'a'");
    FAIL("accepted");
  } catch (const Error& e) {
    CHECK(e.code() == "genomics.letter");
    CHECK(e.message() == "'Z' at position 5 is no nucleotide letter");
    CHECK(e.where() == "x.fa: record 'a'");
    CHECK(e.kind() == ErrorKind::data);
  }
  try {
    require_nucleotides("MKVLAAGIVGLLLAQPSFEEL", "p");
    FAIL("accepted");
  } catch (const Error& e) {
    CHECK(e.code() == "genomics.protein");
  }
}

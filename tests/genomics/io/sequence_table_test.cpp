#include "genomics/io/sequence_table.hpp"

#include <catch2/catch.hpp>

#include "genomics/shared_data.hpp"
#include "genomics/test_files.hpp"

using namespace tenon;
using namespace tenon::genomics;

TEST_CASE("table: UCI's splice junctions, without header, blanks around the values") {
  TENON_NEEDS_GENOMICS_DATA(data);
  auto records = read_sequences(data / "splice-junction" / "splice.txt");
  REQUIRE(records.size() == 3190);
  CHECK(records[0].label == "EI");
  CHECK(records[0].name == "ATRINS-DONOR-521");
  CHECK(records[0].sequence == "CCAGCTGCATCACAGGAGGCCAGCGAGCAGGTCTGTTCCAAGGGCCTTCGAGCCAGTCTG");
  CHECK(records[0].line == 1);
  CHECK(std::count_if(records.begin(), records.end(), [](const auto& r) { return r.label == "N"; }) == 1655);
}

TEST_CASE("table: columns by header, by name and by number, quotes, U, lower case and CRLF are taken") {
  test::TestFolder folder;
  auto records = read_sequences(folder.write("a.csv", "id,label,sequence,split\r\n\"x,1\",pos,acgu,train\r\ny,neg,\"ACGTN\",test\r\n\r\n"));
  REQUIRE(records.size() == 2);
  CHECK(records[0].name == "x,1");
  CHECK(records[0].label == "pos");
  CHECK(records[0].sequence == "ACGT");
  CHECK(records[0].split == "train");
  CHECK(records[1].sequence == "ACGTN");
  CHECK(records[1].line == 3);
  records = read_sequences(folder.write("b.tsv", "dna\tgroup\nACGT\tb\n"), {"dna", "group", "", ""});
  CHECK(records.at(0).label == "b");
  records = read_sequences(folder.write("c.tsv", "ACGT\t7\nACGG\t8\n"), {"1", "2", "", ""});
  CHECK(records.at(1).label == "8");
  records = read_sequences(folder.write("d.csv", "1,ACGT\n0,ACGG"));
  CHECK(records.at(1).label == "0");
}

TEST_CASE("table: defects are told with line and column") {
  test::TestFolder folder;
  auto error = [&](const char* text, const TableColumns& columns = {}) { return *test::error_of([&] { read_sequences(folder.write("x.csv", text), columns); }); };
  CHECK(error("label,sequence\na,ACGT\nb\n").message() == "1 columns, the first line has 2");
  CHECK_THAT(error("label,sequence\na,ACGT\nb\n").where(), Catch::EndsWith("x.csv:3"));
  CHECK(error("label,sequence\na,AC!T\n").code() == "genomics.letter");
  CHECK_THAT(error("label,sequence\na,AC!T\n").where(), Catch::EndsWith("x.csv:2, column 2"));
  CHECK(error("label,sequence\na,\n").message() == "the sequence is empty");
  CHECK(error("split,sequence\ntrain,ACGT\n,ACGA\n").message() == "the split is empty");
  CHECK_THAT(error("split,sequence\ntrain,ACGT\n,ACGA\n").where(), Catch::EndsWith("x.csv:3, column 1"));
  CHECK(error("label,sequence\n\na,ACGT\n").message() == "a blank line between lines of the table");
  CHECK(error("label,sequence\n").message() == "the table has a header and no line");
  CHECK(error("label,sequence\na,ACGT\n", {"", "lable", "", ""}).message() == "there is no column 'lable' in the header");
  CHECK_THAT(error("label,sequence\na,ACGT\n", {"", "lable", "", ""}).hint(), Catch::Contains("label"));
  CHECK(error("e,q\n1,2\n").message() == "no column holds sequences");
  CHECK(error("label,sequence\n\"a,ACGT\n").code() == "genomics.table");
  CHECK(error("a,ACGT\n", {"3", "", "", ""}).message() == "there is no column 3: the line has 2");
}

TEST_CASE("table: a set in FASTA takes whole headers as names, which may repeat") {
  test::TestFolder folder;
  auto records = read_sequences(folder.write("x.fa", "> 6400\nacgu\n>two words\nAC\nGT\n>two words\nAC\n"));
  REQUIRE(records.size() == 3);
  CHECK(records[0].name == "6400");
  CHECK(records[0].sequence == "ACGT");
  CHECK(records[1].name == "two words");
  CHECK(records[1].sequence == "ACGT");
  CHECK(records[2].line == 6);
}

#include <algorithm>
#include <cstdlib>

#include "finance/io/csv.hpp"
#include "target.hpp"

using namespace tenon::finance;

const std::size_t fuzz::kMemoryPerByte = 3000;  // a header of commas makes a column of each byte

std::vector<std::string> fuzz::corpus() {
  std::string rows = "Date,Close,Volume,Name\n";
  for (int i = 0; i < 40; ++i) rows += "2003-01-" + std::to_string(10 + i % 20) + "," + std::to_string(30 + i) + ".5,1200,\"a, \"\"b\"\"\nc\"\n";
  return {rows,
          "1/2/1986,25.56\r\n13/1/1986,.\r\n",
          "\xef\xbb\xbf" "a;b\n1;\"2\"\n",
          ",x\n2004-08-19 10:00:00+02:00,TRUE\n2004-08-19T10:00:00.5Z,FALSE\n",
          "x\n1e308\n-0.0\n9007199254740993\n1.7976931348623157e308\n123456789012345678\n"};
}

void fuzz::read(const std::string& bytes) {
  const Table t = parse_csv(bytes);
  // What was read is consistent: each column has a cell a row, missing ones are those counted.
  for (const Column& c : t.columns) {
    const std::size_t cells = std::max({c.reals.size(), c.integers.size(), c.texts.size()});
    std::int64_t missing = 0;
    for (std::int64_t r = 0; r < t.rows; ++r) missing += c.is_missing(r);
    if (cells != std::size_t(t.rows) || missing != c.missing) std::abort();
  }
}

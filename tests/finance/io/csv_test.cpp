// Dialects that are accepted, and each defect of the brief with its file, line and column.
#include "finance/io/csv.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "finance/shared_data.hpp"
#include "tenon/device.hpp"
#include "tenon/io/sha256.hpp"

using namespace tenon;
using namespace tenon::finance;
using tenon::test::error_of;

namespace {

std::string defect(const std::string& text, const CsvOptions& options = {}) {
  return error_of([&] { parse_csv(text, options, "f.csv"); });
}

void require_defect(const std::string& text, const std::string& code, const std::string& where, const CsvOptions& options = {}) {
  const std::string e = defect(text, options);
  INFO(e);
  CHECK(e.starts_with(code + " |"));
  CHECK(e.find("f.csv" + where) != e.npos);
}

}  // namespace

TEST_CASE("CSV: types are found and cells are exact", "[finance][csv]") {
  Table t = parse_csv("Date,Close,Volume,Up,Name\n2003-01-02,34.05,1200,TRUE,a\n2003-01-03,0.1,,FALSE,\"b, \"\"c\"\"\"\n2003-01-06,1e-3,7,true,\n");
  REQUIRE(t.rows == 3);
  REQUIRE(t.columns.size() == 5);
  CHECK(t.columns[0].type == CellType::date);
  CHECK(time_text(t.columns[0].integers[2]) == "2003-01-06");
  CHECK(t.columns[1].type == CellType::real);
  CHECK(t.columns[1].reals == std::vector<double>{34.05, 0.1, 1e-3});
  CHECK(t.columns[2].type == CellType::integer);
  CHECK(t.columns[2].integers == std::vector<std::int64_t>{1200, kMissing, 7});
  CHECK(t.columns[2].missing == 1);
  CHECK(t.columns[3].type == CellType::boolean);
  CHECK(t.columns[4].texts[1] == "b, \"c\"");
  CHECK(t.columns[4].is_missing(2));
}

TEST_CASE("CSV: numbers of every form are the nearest doubles", "[finance][csv]") {
  const std::vector<std::string> cells = {"0", "-0.0", "1", "-1.5", "123456789012345", "9007199254740993", "0.1", "1234567.890123456", "1228.099976", "1e22", "1E-22", "+3.25", ".5", "5.",
                                          "179769313486231570000000000000000000000", "2.2250738585072014e-308", "0.30000000000000004", "99999999999999.99", "-9.999999999999999", "1234567890123456.7"};
  std::string text = "x\n1.5\n";
  for (const auto& c : cells) text += c + "\n";
  Table t = parse_csv(text);
  REQUIRE(t.columns[0].type == CellType::real);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    INFO(cells[i]);
    const double want = std::strtod(cells[i].c_str(), nullptr), got = t.columns[0].reals[i + 1];
    CHECK(std::memcmp(&want, &got, 8) == 0);
  }
}

TEST_CASE("CSV: dialects", "[finance][csv]") {
  CHECK(parse_csv("\xef\xbb\xbf" "a;b\r\n1;2\r\n3;4\r\n").columns[0].name == "a");
  CHECK(parse_csv("a\tb\n1\t2").rows == 1);
  CHECK(parse_csv("a,b\n1,2\n\n\n").rows == 1);
  Table unnamed = parse_csv(",x\n2004-08-19,1\n");
  CHECK(unnamed.columns[0].name == "index");
  CHECK(!unnamed.notes.empty());
  Table bare = parse_csv("1.5,2\n3,4\n");
  CHECK(bare.rows == 2);
  CHECK(bare.columns[1].name == "column2");
  Table markers = parse_csv("d,x\n1/2/1986,25.56\n1/13/1986,.\n1/14/1986, NA \n");
  CHECK(markers.columns[1].missing == 2);
  CHECK(markers.columns[0].type == CellType::date);
  CHECK(time_text(markers.columns[0].integers[1]) == "1986-01-13");
  CHECK(std::any_of(markers.notes.begin(), markers.notes.end(), [](const auto& n) { return n.find("'.'") != n.npos; }));
  Table quoted = parse_csv("a,b\n\"x\ny\",1\nz,2\n");
  CHECK(quoted.columns[0].texts[0] == "x\ny");
  CHECK(quoted.line_of(0) == 2);
  CHECK(quoted.line_of(1) == 4);
  CHECK(parse_csv("code,x\n00123,1\n04567,2\n").columns[0].type == CellType::text);
  CHECK(parse_csv("x\n 1.5 \n2\n").columns[0].reals[0] == 1.5);
  CHECK(parse_csv("d\n25/12/2003\n1/2/2004\n").columns[0].integers[1] == days_from_civil(2004, 2, 1) * kNsPerDay);
  CHECK(time_text(parse_csv("t\n2000-06-05T00:30:00+02:00\n").columns[0].integers[0]) == "2000-06-04T22:30:00Z");
  CHECK(time_text(parse_csv("t\n2017-04-19 09:00:00.25\n").columns[0].integers[0]) == "2017-04-19T09:00:00.25Z");
}

TEST_CASE("CSV: integers widen to reals after the sample", "[finance][csv]") {
  std::string text = "x,y\n";
  for (int i = 0; i < 20000; ++i) text += std::to_string(i) + ",2\n";
  text += "0.5,3\n";
  Table t = parse_csv(text);
  CHECK(t.columns[0].type == CellType::real);
  CHECK(t.columns[0].reals[19999] == 19999);
  CHECK(t.columns[0].reals[20000] == 0.5);
  CHECK(t.columns[1].type == CellType::integer);
}

TEST_CASE("CSV: every defect is an error with file, line and column", "[finance][csv]") {
  require_defect("a,b\n1,2\n3\n", "finance.field_count", ":3");
  require_defect("a,b\n1,2\n3,4,5\n", "finance.field_count", ":3");
  require_defect("a,b\n1,2\n\n3,4\n", "finance.field_count", ":3");
  require_defect("Date,Close\n2020-01-01,1,5\n2020-01-02,2,5\n", "finance.field_count", ":2");  // every record is too long
  require_defect("a,b\n1,\"x\n3,4\n", "finance.open_quote", ":2:3");
  require_defect("a,b\n1,x\"y\n3,4\n", "finance.stray_quote", ":2:4");
  require_defect("a,b\n1,\"x\"y\n3,4\n", "finance.stray_quote", ":2");
  require_defect(std::string("\xff\xfe" "a\0b\0", 6), "finance.encoding", ":1");
  require_defect(std::string("a,b\n1,2\n3,\0004\n", 13), "finance.nul", ":3");
  require_defect("a,b\n1,caf\xe9\n", "finance.encoding", ":2:3");
  require_defect("a,b\r1,2\r3,4\r", "finance.line_end", ":1:4");
  CHECK(defect("a,a\r1,2\r3,4").find("carriage return alone, 2 of them") != std::string::npos);
  CHECK(defect(std::string("\xff\xfe\0\0a\0\0\0", 8)).find("UTF-32") != std::string::npos);
  std::string numbers = "x,y\n";
  for (int i = 0; i < 5000; ++i) numbers += "1.5,2\n";
  require_defect(numbers + "oops,2\n", "finance.cell", ":5002:1");
  require_defect(numbers + "1,99999999999999999999\n", "finance.integer_overflow", ":5002:3");
  require_defect(numbers + "\"1\"\"5\",2\n", "finance.cell", ":5002:1");
  require_defect("a,b\n1,\"x\"\"caf\xe9\"\n", "finance.encoding", ":2:3");
  require_defect("x\n1.5\ninf\n", "finance.not_finite", ":3:1");
  require_defect("x\n1.5\nnan\n", "finance.not_finite", ":3:1");
  require_defect("x\n1.5\n1e999\n", "finance.not_finite", ":3:1");
  require_defect("v\n1.5\n1.3e-314\n", "finance.denormal", ":3:1");
  require_defect("d,x\n3/4/2005,1\n5/6/2005,2\n", "finance.date_order", ":2");
  require_defect("d,x\n13/4/2005,1\n5/16/2005,2\n", "finance.date_order", ":3");
  require_defect("a,a\n1,2\n", "finance.header", ":1");
  require_defect("", "finance.empty", "");
  require_defect("a,b\n", "finance.empty", "");
  CsvOptions epoch;
  epoch.types["t"] = CellType::time;
  epoch.epoch = EpochUnit::s;
  require_defect("t,x\n1700000000,1\n1700000060000,2\n", "finance.epoch", ":3:1", epoch);
  CHECK(time_text(parse_csv("t,x\n1700000000,1\n", epoch).columns[0].integers[0]) == "2023-11-14T22:13:20Z");
  CsvOptions berlin;
  berlin.zone = "Europe/Berlin";
  if (defect("t\n2003-01-02 12:00:00\n", berlin).starts_with("finance.zone")) {
    WARN("skipped: needs the tz database");
    return;
  }
  CHECK(time_text(parse_csv("t\n2003-07-02 12:00:00\n", berlin).columns[0].integers[0]) == "2003-07-02T10:00:00Z");
  require_defect("t\n2003-03-30 02:30:00\n", "finance.local_time", ":2:1", berlin);
  require_defect("t\n2003-10-26 02:30:00\n", "finance.local_time", ":2:1", berlin);
  berlin.clock_change = ClockChange::earlier;
  CHECK(time_text(parse_csv("t\n2003-10-26 02:30:00\n", berlin).columns[0].integers[0]) == "2003-10-26T00:30:00Z");
  berlin.clock_change = ClockChange::later;
  CHECK(time_text(parse_csv("t\n2003-10-26 02:30:00\n", berlin).columns[0].integers[0]) == "2003-10-26T01:30:00Z");
}

TEST_CASE("CSV: an odd cell among the first records is an error, not a column of text", "[finance][csv]") {
  const auto column = [](const std::string& name, const std::string& good, const std::string& odd, int cells) {
    std::string text = name + ",k\n";
    for (int i = 0; i < cells; ++i) text += (i == 4 ? odd : good) + ",1\n";
    return text;
  };
  for (const char* odd : {"0.00x9", "0x10", "\"1,000\"", "N/A", "1.234.5", "2015-02-28", "true"}) require_defect(column("OT", "1.5", odd, 20), "finance.cell", odd[0] == '"' ? ":6:2" : ":6:1");
  require_defect(column("n", "15", "1O", 20), "finance.cell", ":6:1");
  require_defect(column("day", "2016-02-28", "2016-02-30", 20), "finance.cell", ":6:1");
  require_defect(column("t", "2016-02-28 01:00:00", "2016-02-30 01:00:00", 20), "finance.cell", ":6:1");
  require_defect(column("flag", "TRUE", "maybe", 20), "finance.cell", ":6:1");
  require_defect("Date,Close\n2020-01-01,10\n2020-01-02,abc\n2020-01-03,-12\n", "finance.cell", ":3:12");
  require_defect("Date,Close\n2020-01-01,10\n2020-13-02,11\n2020-01-03,12\n", "finance.cell", ":3:1");
  // a name, one number in ten texts, or codes: these are texts
  CHECK(parse_csv(column("name", "a", "15", 20)).columns[0].type == CellType::text);
  CHECK(parse_csv(column("mixed", "1", "x", 6)).columns[0].type == CellType::text);
  CHECK(parse_csv(column("zip", "12345", "01234", 40)).columns[0].type == CellType::text);
  CsvOptions o;
  o.missing.push_back("N/A");
  CHECK(parse_csv(column("OT", "1.5", "N/A", 20), o).columns[0].missing == 1);
  o.types["OT"] = CellType::text;
  CHECK(parse_csv(column("OT", "1.5", "abc", 20), o).columns[0].type == CellType::text);
  const auto notes = parse_csv("Date,Close\n01-Feb-2020,1\n02-Feb-2020,2\n").notes;
  CHECK(std::any_of(notes.begin(), notes.end(), [](const auto& n) { return n.find("'Date' holds text") != n.npos; }));
}

TEST_CASE("CSV: years that nanoseconds do not hold are errors", "[finance][csv]") {
  for (const char* day : {"9999-12-31", "2262-01-01", "1677-12-31", "0001-01-01"}) {
    INFO(day);
    require_defect("Date,x\n2020-01-01,1\n" + std::string(day) + ",2\n", "finance.cell", ":3:1");
    CHECK(defect("Date,x\n2020-01-01,1\n" + std::string(day) + ",2\n").find("1678 to 2261") != std::string::npos);
  }
  CHECK(time_text(parse_csv("Date\n2261-12-31\n1678-01-01\n").columns[0].integers[0]) == "2261-12-31");
}

TEST_CASE("CSV: declared types", "[finance][csv]") {
  CsvOptions o;
  o.types = {{"Date", CellType::date}, {"id", CellType::text}};
  o.date_format = "%Y%m";
  Table t = parse_csv("Date,id\n192607,12\n192608,13\n", o);
  CHECK(time_text(t.columns[0].integers[1]) == "1926-08-01");
  CHECK(t.columns[1].texts[0] == "12");
  require_defect("Date,id\n192613,1\n", "finance.cell", ":2:1", o);
  o.types["nmae"] = CellType::real;
  CHECK(defect("Date,id\n192607,12\n", o).starts_with("finance.no_column"));
}

TEST_CASE("CSV: chunks begin at records whatever the quotes, for any thread count", "[finance][csv]") {
  // Records with newlines, delimiters and doubled quotes in cells, over many blocks of 64 KiB.
  std::string text = "id,name,x\n";
  std::vector<std::string> names;
  for (int i = 0; i < 30000; ++i) {
    std::string name = "n" + std::to_string(i) + (i % 7 == 0 ? ",\n" : "") + (i % 11 == 0 ? "\"" : "");
    names.push_back(name);
    std::string quoted;
    for (char c : name) quoted += c == '"' ? "\"\"" : std::string(1, c);
    text += std::to_string(i) + ",\"" + quoted + "\"," + std::to_string(i) + ".25\n";
  }
  const int before = thread_count();
  for (int threads : {1, 2, 4}) {
    set_thread_count(threads);
    Table t = parse_csv(text);
    REQUIRE(t.rows == 30000);
    bool equal = true;
    for (std::size_t i = 0; i < names.size(); ++i) equal &= t.columns[1].texts[i] == names[i] && t.columns[0].integers[i] == std::int64_t(i) && t.columns[2].reals[i] == double(i) + 0.25;
    CHECK(equal);
    CHECK(t.line_of(1) == 4);
    CHECK(t.line_of(7) == 10);  // rows 0 and 7 take two lines each
    CHECK(t.line_of(8) == 12);
  }
  set_thread_count(before);
}

TEST_CASE("CSV: the Rdatasets equal what DuckDB reads, cell by cell", "[finance][csv]") {
  TENON_NEEDS_FINANCE_DATA(data);
  std::ifstream in(data / "rdatasets" / "expected.json");
  const auto expected = nlohmann::json::parse(in);
  int sets = 0, columns = 0;
  for (const auto& set : expected) {
    std::string name = set["set"];
    if (name == "gt/sp500") continue;            // its Parquet is corrupt: the digests are of that
    name.replace(name.find('/'), 1, "__");
    CsvOptions o;
    for (const auto& c : set["column"])
      if (c["type"] == "VARCHAR") o.types[c["name"]] = CellType::text;
    const Table t = read_csv(data / "rdatasets" / (name + ".csv"), o);
    INFO(name);
    REQUIRE(t.rows == set["rows"].get<std::int64_t>());
    for (const auto& c : set["column"]) {
      const Column& column = t.at(c["name"].get<std::string>());
      INFO(column.name << " " << name_of(column.type) << " " << c["type"]);
      // The Parquet keeps empty texts as texts; here an empty cell is a missing one.
      const bool empty_texts = column.type == CellType::text && c["nulls"] == 0;
      if (!empty_texts) CHECK(column.missing == c["nulls"].get<std::int64_t>());
      if (column.type == CellType::real || c["type"] == "DOUBLE") continue;  // doubles have 15 digits in the CSV
      if (column.name == "emp_title") continue;                               // trailing blanks are trimmed in the Parquet
      Sha256 digest;
      for (std::int64_t r = 0; r < t.rows; ++r) {
        const auto i = std::size_t(r);
        const std::uint8_t present = empty_texts || !column.is_missing(r);
        digest.update(&present, 1);
        if (!present) continue;
        if (column.type == CellType::text) {
          const auto length = std::uint32_t(column.texts[i].size());
          digest.update(&length, 4);
          digest.update(column.texts[i].data(), length);
        } else if (column.type == CellType::boolean) {
          const auto v = std::uint8_t(column.integers[i]);
          digest.update(&v, 1);
        } else {
          const std::int64_t v = column.type == CellType::date ? column.integers[i] / kNsPerDay : column.type == CellType::time ? column.integers[i] / 1000 : column.integers[i];
          digest.update(&v, 8);
        }
      }
      CHECK(digest.hex_digest() == c["sha256"].get<std::string>());
      ++columns;
    }
    ++sets;
  }
  CHECK(sets == 13);
  CHECK(columns > 80);
}

TEST_CASE("CSV: the shared files are read as their README says", "[finance][csv]") {
  TENON_NEEDS_FINANCE_DATA(data);
  const Table sp = read_csv(data / "arch_data" / "sp500.csv.gz");
  CHECK(sp.rows == 5031);
  CHECK(sp.columns[0].type == CellType::date);
  CHECK(sp.columns[6].type == CellType::integer);
  CHECK(read_csv(data / "arch_data" / "wti.csv.gz").columns[1].missing == 290);
  CHECK(read_csv(data / "arch_data" / "crude.csv.gz").columns[0].type == CellType::date);
  const Table exchange = read_csv(data / "exchange_rate" / "exchange_rate.txt.gz");
  CHECK(exchange.rows == 7588);
  CHECK(exchange.columns.size() == 8);
  const Table stocks = read_csv(data / "pypfopt" / "stock_prices.csv");
  CHECK(stocks.rows == 7126);
  CHECK(std::isnan(stocks.at("GOOG").reals[0]));
  const Table m4 = read_csv(data / "m4" / "Hourly-train.csv");
  CHECK(m4.rows == 414);
  CHECK(m4.columns[1].is_number());
  CHECK(error_of([&] { read_csv(data / "rdatasets" / "gt__sp500.csv"); }).empty());
  CHECK(read_csv(data / "backtesting_py" / "GOOG.csv").columns[0].name == "index");
  CHECK(read_csv(data / "treasury" / "treasury_curves.csv").columns[0].type == CellType::time);
}

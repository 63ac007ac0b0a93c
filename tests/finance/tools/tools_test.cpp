#include "finance/tools/tools.hpp"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "finance/io/table.hpp"
#include "finance/shared_data.hpp"
#include "tenon/io/file.hpp"

using namespace tenon;
using namespace tenon::finance;
using tenon::test::error_of;

namespace {

class Recorder : public ToolContext {
 public:
  void print(const std::string& text) override { out += text + "\n"; }
  void status(const std::string& text) override { err += text + "\n"; }
  void progress(std::int64_t, std::int64_t) override {}
  bool json() const override { return as_json; }
  bool interrupted() const override { return stop; }
  std::string out, err;
  bool as_json = false, stop = false;
};

using Given = std::vector<std::pair<std::string, std::string>>;

std::string call(const ToolEntry& tool, const std::vector<std::string>& inputs, const Given& given, bool json) {
  ParamValues values(tool.params);
  for (const auto& [name, text] : given) values.set_from_text(tool.params, name, text, "test");
  Recorder recorder;
  recorder.as_json = json;
  const int status = tool.run(inputs, values, recorder);  // outside of CHECK, which would catch what it throws
  CHECK(status == 0);
  return recorder.out;
}
nlohmann::json call_json(const ToolEntry& tool, const std::vector<std::string>& inputs, const Given& given = {}) {
  return nlohmann::json::parse(call(tool, inputs, given, true));
}

struct TempFolder {
  std::filesystem::path path;
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "tenon-finance-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~TempFolder() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("tools: garch prints the benchmark beside its conventions", "[finance][tools]") {
  TENON_NEEDS_FINANCE_DATA(data);
  const std::string file = (data / "garch_fcp" / "MarkPound.csv").string();
  const Given given = {{"column", "value"}, {"returns", "given"}};
  const auto j = call_json(garch_tool(), {file}, given);
  CHECK(std::abs(j["log_likelihood"].get<double>() + 1106.607881041288) < 1e-9);
  CHECK(j["parameters"][3]["name"] == "beta");
  CHECK(j["conventions"]["periods_a_year"] == 252);
  CHECK(j["conventions"]["returns"] == "given");
  const std::string text = call(garch_tool(), {file}, given, false);
  CHECK(text.find("log-likelihood -1106.6078810413") != std::string::npos);
  CHECK(text.find("conventions: returns given") != std::string::npos);
}

TEST_CASE("tools: a fit on a bound says so", "[finance][tools]") {
  TENON_NEEDS_FINANCE_DATA(data);
  const std::string text = call(garch_tool(), {(data / "arch_data" / "sp500.csv.gz").string()}, {{"column", "Adj Close"}, {"model", "gjr"}}, false);
  CHECK(text.find("flag: alpha = 0 lies on a bound") != std::string::npos);
}

TEST_CASE("tools: garch asks for what it cannot know", "[finance][tools]") {
  TENON_NEEDS_FINANCE_DATA(data);
  const std::string sp = (data / "arch_data" / "sp500.csv.gz").string();
  CHECK(error_of([&] { call(garch_tool(), {sp}, {}, false); }).starts_with("finance.column |"));
  CHECK(error_of([&] { call(garch_tool(), {sp}, {{"column", "Adj Clsoe"}}, false); }).find("Adj Close") != std::string::npos);
  const std::string wti = (data / "arch_data" / "wti.csv.gz").string();
  const auto e = error_of([&] { call(garch_tool(), {wti}, {}, false); });
  CHECK(e.starts_with("finance.missing |"));
  CHECK(e.find("290 rows") != e.npos);
  CHECK(call_json(garch_tool(), {wti}, {{"drop_missing", "true"}})["dropped"] == 290);
}

TEST_CASE("tools: outputs are written whole and never over another file", "[finance][tools]") {
  TENON_NEEDS_FINANCE_DATA(data);
  TempFolder folder;
  const std::string out = (folder.path / "fit.csv").string(), in = (data / "garch_fcp" / "MarkPound.csv").string();
  const Given given = {{"column", "value"}, {"returns", "given"}, {"output", out}};
  call(garch_tool(), {in}, given, false);
  const std::string text = read_text(out);
  CHECK(text.starts_with("row,return,residual,variance,volatility\n1,"));
  CHECK(std::count(text.begin(), text.end(), '\n') == 1975);
  CHECK(error_of([&] { call(garch_tool(), {in}, given, false); }).starts_with("finance.exists |"));
  Given again = given;
  again.emplace_back("overwrite", "true");
  call(garch_tool(), {in}, again, false);
}

TEST_CASE("tools: var judges each method at each level", "[finance][tools]") {
  TENON_NEEDS_FINANCE_DATA(data);
  const auto j = call_json(var_tool(), {(data / "arch_data" / "sp500.csv.gz").string()},
                           {{"column", "Adj Close"}, {"methods", "[\"historical\", \"filtered\"]"}, {"begin", "2017-01-01"}, {"end", "2018-12-31"}, {"refit_every", "50"}, {"window", "500"}});
  CHECK(j["days"] == 502);
  CHECK(j["first"] == "2017-01-03");
  REQUIRE(j["methods"].size() == 2);
  for (const auto& m : j["methods"]) {
    REQUIRE(m["levels"].size() == 3);
    CHECK(m["levels"][0]["exceedances"].get<int>() <= m["levels"][2]["exceedances"].get<int>());
  }
  CHECK(j["conventions"]["window"] == 500);
  CHECK(error_of([&] { call(var_tool(), {(data / "arch_data" / "sp500.csv.gz").string()}, {{"column", "Adj Close"}, {"begin", "2000-01-01"}}, false); }).starts_with("finance.window |"));
}

TEST_CASE("tools: price and greeks show the closed form beside the estimate", "[finance][tools]") {
  const auto j = call_json(price_tool(), {}, {{"strike", "105"}, {"rate", "0.05"}, {"paths", "20000"}});
  CHECK(j["closed_form"]["price"].get<double>() == Approx(8.0213522351431763).epsilon(1e-12));  // S 100, K 105, r .05, v .2, T 1
  CHECK(std::abs(j["deviation_in_errors"].get<double>()) < 4);
  CHECK(j["conventions"]["rates"] == "continuous, a year");
  CHECK(call_json(price_tool(), {}, {{"model", "heston"}, {"paths", "2000"}})["closed_form"]["formula"] == "Heston, Lewis's integral");
  const auto g = call_json(greeks_tool(), {}, {{"paths", "4096"}, {"steps", "4"}});
  CHECK(g["greeks"].size() == 8);
  CHECK(g["greeks"][2]["name"] == "gamma");
  CHECK(error_of([&] { call(price_tool(), {"x.csv"}, {}, false); }).find("takes no files") != std::string::npos);
}

TEST_CASE("tools: price and greeks refuse options without a use", "[finance][tools]") {
  const auto why = [](const ToolEntry& tool, const Given& given) { return error_of([&] { call(tool, {}, given, false); }); };
  for (const char* name : {"v0", "kappa", "theta", "sigma"}) CHECK(why(price_tool(), {{name, "0.1"}}).starts_with(std::string("finance.option | --") + name + " belongs to Heston's model"));
  CHECK(why(price_tool(), {{"scheme", "euler"}}).find("--scheme belongs to Heston's model, and the model is gbm") != std::string::npos);
  CHECK(why(price_tool(), {{"model", "heston"}, {"volatility", "0.3"}}).find("--volatility belongs to geometric Brownian motion") != std::string::npos);
  for (const ToolEntry& tool : {price_tool(), greeks_tool()}) CHECK(why(tool, {{"fixings", "12"}}).find("--fixings belongs to an Asian option") != std::string::npos);
}

TEST_CASE("tools: the ranges that help tells are those that are taken", "[finance][tools]") {
  const ToolEntry tool = price_tool();
  for (const Given& model : {Given{}, Given{{"model", "heston"}}}) {
    for (const Param& p : tool.params.params()) {
      const bool of_heston = p.name == "v0" || p.name == "kappa" || p.name == "theta" || p.name == "sigma" || p.name == "rho";
      if (p.type != ParamType::real || (model.empty() ? of_heston : p.name == "volatility")) continue;
      for (const auto& bound : {p.low, p.high}) {
        REQUIRE(bound.has_value());
        Given given = model;
        given.insert(given.end(), {{"paths", "100"}, {"steps", "20"}, {p.name, fmt::format("{}", *bound)}});
        if (p.name == "years") given.insert(given.end(), {model.empty() ? std::pair<std::string, std::string>{"volatility", "0.1"} : std::pair<std::string, std::string>{"rate", "0"}});
        if (p.name == "volatility") given.emplace_back("years", "1e-4");
        INFO(p.name << " " << *bound);
        CHECK_NOTHROW(call(tool, {}, given, true));
      }
    }
  }
}

TEST_CASE("tools: price gives no estimate rather than a certain 0", "[finance][tools]") {
  const Given given = {{"volatility", "10"}, {"paths", "10000"}};
  const auto j = call_json(price_tool(), {}, given);
  CHECK(j["price"].is_null());
  CHECK(j["standard_error"].is_null());
  CHECK(j["no_estimate"].get<std::string>().find("of 10000 paths") != std::string::npos);
  CHECK(j["closed_form"]["price"].get<double>() == Approx(99.9999427).epsilon(1e-6));
  CHECK(call(price_tool(), {}, given, false).find("no estimate: ") != std::string::npos);
}

TEST_CASE("tools: price warns where Heston's steps move the price more than chance does", "[finance][tools]") {
  const auto warning = [](const Given& given) {
    ParamValues values(price_tool().params);
    for (const auto& [name, text] : given) values.set_from_text(price_tool().params, name, text, "test");
    Recorder recorder;
    recorder.as_json = true;
    price_tool().run({}, values, recorder);
    CHECK(nlohmann::json::parse(recorder.out)["discretisation"]["exceeds_statistical"] == !recorder.err.empty());
    return recorder.err;
  };
  const Given coarse = {{"model", "heston"}, {"kappa", "200"}, {"sigma", "2"}, {"steps", "48"}, {"paths", "20000"}};
  CHECK(warning(coarse).find("warning: 48 steps are too few: against the closed form") != std::string::npos);
  Given asian = coarse;
  asian.emplace_back("payoff", "asian");
  CHECK(warning(asian).find("against 24 steps") != std::string::npos);
  CHECK(warning({{"model", "heston"}, {"paths", "20000"}}).empty());
}

TEST_CASE("tools: price and greeks stop when told to, and write nothing", "[finance][tools]") {
  TempFolder folder;
  for (const ToolEntry& tool : {price_tool(), greeks_tool()}) {
    ParamValues values(tool.params);
    const std::string out = (folder.path / "out.json").string();
    for (const auto& [name, text] : Given{{"paths", "10000000000"}, {"output", out}}) values.set_from_text(tool.params, name, text, "test");
    Recorder recorder;
    recorder.stop = true;
    CHECK(error_of([&] { tool.run({}, values, recorder); }).starts_with("run.interrupted |"));
    CHECK_FALSE(std::filesystem::exists(out));
    CHECK(recorder.out.empty());
  }
}

TEST_CASE("tools: check says what a file holds, and where it is wrong", "[finance][tools]") {
  TempFolder folder;
  const std::string good = (folder.path / "good.csv").string(), bad = (folder.path / "bad.csv").string();
  std::ofstream(good) << "Date,Close\n2003-01-02,5\n2003-01-03,NA\n2003-01-06,6.5\n";
  std::ofstream(bad) << "Date,Close\n2003-01-02,5\n2003-01-03\n";
  const auto j = call_json(check_tool(), {good});
  CHECK(j[0]["rows"] == 3);
  CHECK(j[0]["columns"][0]["type"] == "date");
  CHECK(j[0]["columns"][1]["missing"] == 1);
  CHECK(j[0]["columns"][1]["maximum"] == 6.5);
  CHECK(call(check_tool(), {good}, {}, false).find("note: 1 cells are missing, written 'NA'") != std::string::npos);
  const auto e = error_of([&] { call(check_tool(), {bad}, {}, false); });
  CHECK(e.starts_with("finance.field_count |"));
  CHECK(e.ends_with("bad.csv:3:1"));
}

TEST_CASE("tools: a day that times do not hold is refused", "[finance][tools]") {
  TempFolder folder;
  const std::string file = (folder.path / "p.csv").string();
  std::ofstream(file) << "Date,Close\n2003-01-02,5\n2003-01-03,5.1\n2003-01-06,5.2\n";
  for (const char* option : {"begin", "end"}) {
    const auto e = error_of([&] { call(garch_tool(), {file}, {{option, "2300-01-01"}}, false); });
    CHECK(e.starts_with("command.bad_value |"));
    CHECK(e.find("1678 to 2261") != e.npos);
  }
}

namespace {

/// Prices that move little, with a jump of 7:1 at row `at`.
std::string jump_csv(int rows, int at) {
  std::string text = "Date,Close\n";
  for (int t = 0; t < rows; ++t) {
    const double price = (100 + std::sin(1.7 * t) + 0.7 * std::cos(0.9 * t * t)) / (t < at ? 1 : 7);
    text += time_text((18262 + t) * kNsPerDay) + "," + std::to_string(price) + "\n";  // 2020-01-01 on
  }
  return text;
}

}  // namespace

TEST_CASE("tools: garch and var hold prices to the market's rules, and take declared splits out of the returns", "[finance][tools]") {
  TempFolder folder;
  const std::string split = (folder.path / "split.csv").string(), whole = (folder.path / "whole.csv").string(), bad = (folder.path / "bad.csv").string();
  std::ofstream(split) << jump_csv(400, 250);
  std::ofstream(whole) << jump_csv(400, 400);
  for (const ToolEntry& tool : {garch_tool(), var_tool()}) {
    const auto e = error_of([&] { call(tool, {split}, {}, false); });
    CHECK(e.starts_with("finance.split |"));
    CHECK(e.ends_with("split.csv:252"));
  }
  const auto fit = call_json(garch_tool(), {split}, {{"splits", "[\"2020-09-07=7\"]"}}), same = call_json(garch_tool(), {whole});
  CHECK(fit["log_likelihood"].get<double>() == Approx(same["log_likelihood"].get<double>()).epsilon(1e-4));  // the file rounds smaller prices more
  CHECK(fit["notes"].dump().find("taken out of the returns") != std::string::npos);
  CHECK(call_json(garch_tool(), {split}, {{"market", "false"}})["log_likelihood"].get<double>() < fit["log_likelihood"].get<double>() - 100);
  CHECK(error_of([&] { call(garch_tool(), {split}, {{"splits", "[\"2020-09-07=2\"]"}}, false); }).starts_with("finance.split |"));
  std::ofstream(bad) << "Date,Open,High,Low,Close\n2020-01-01,5,6,4,5\n2020-01-02,5,4.5,4,5\n2020-01-03,5,6,4,5.5\n";
  CHECK(error_of([&] { call(garch_tool(), {bad}, {{"column", "Close"}}, false); }).starts_with("finance.price_order |"));
}

TEST_CASE("tools: an output never replaces its input, and has a folder to lie in", "[finance][tools]") {
  TempFolder folder;
  const std::string file = (folder.path / "p.csv").string(), link = (folder.path / "link.csv").string(), hard = (folder.path / "hard.csv").string();
  const std::string text = jump_csv(300, 300);
  std::ofstream(file) << text;
  std::filesystem::create_symlink(file, link);
  std::filesystem::create_hard_link(file, hard);
  for (const ToolEntry& tool : {garch_tool(), var_tool()}) {
    for (const auto& out : {file, link, hard, (folder.path / "none" / "o.csv").string(), folder.path.string(), std::string()})
      CHECK(error_of([&] { call(tool, {file}, {{"output", out}, {"overwrite", "true"}}, false); }).starts_with("finance.output |"));
  }
  CHECK(read_text(file) == text);
}

TEST_CASE("tools: options that exclude each other, or say a thing twice, are refused", "[finance][tools]") {
  TempFolder folder;
  const std::string file = (folder.path / "p.csv").string(), words = (folder.path / "words.csv").string(), huge = (folder.path / "huge.csv").string();
  std::ofstream(file) << jump_csv(300, 300);
  std::ofstream(words) << "a,b\nx,y\nz,w\n";
  std::ofstream(huge) << "x\n1.5\n-5e199\n2.5\n";
  const auto refused = [&](const ToolEntry& tool, const Given& given) { return error_of([&] { call(tool, {file}, given, false); }); };
  CHECK(refused(garch_tool(), {{"returns", "given"}, {"scale", "7"}}).starts_with("command.conflict |"));
  CHECK(refused(garch_tool(), {{"returns", "given"}, {"splits", "[\"2020-09-07=7\"]"}}).starts_with("command.conflict |"));
  CHECK(refused(check_tool(), {{"market", "false"}, {"splits", "[\"2020-09-07=7\"]"}}).starts_with("command.conflict |"));
  CHECK(refused(check_tool(), {{"splits", "[\"2031-09-07=7\"]"}}).starts_with("finance.splits |"));
  CHECK(refused(check_tool(), {{"splits", "[\"2020-09-07=7\", \"2020-09-07=2\"]"}}).starts_with("finance.splits |"));
  CHECK(refused(var_tool(), {{"levels", "[1, 1]"}, {"window", "100"}}).find("twice") != std::string::npos);
  CHECK(refused(var_tool(), {{"methods", "[\"garch\", \"garch\"]"}, {"window", "100"}}).find("twice") != std::string::npos);
  CHECK(error_of([&] { call(garch_tool(), {words}, {}, false); }).starts_with("finance.no_number_column |"));
  const auto e = error_of([&] { call(garch_tool(), {huge}, {{"returns", "given"}}, false); });
  CHECK(e.starts_with("finance.magnitude |"));
  CHECK(e.ends_with("huge.csv:3"));
}

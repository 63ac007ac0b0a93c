#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/sha256.hpp"
#include "tenon/io/utf8.hpp"
#include "tenon/metrics.hpp"
#include "tenon/report.hpp"
#include "tenon/run.hpp"

namespace tenon {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kResamples = 2000;
constexpr std::uint64_t kBootstrapSeed = 1;
constexpr int kFormat = 1;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double mean_of(const std::vector<double>& values, std::span<const std::int64_t> drawn) {
  double sum = 0;
  for (std::int64_t i : drawn) sum += values[std::size_t(i)];
  return sum / double(drawn.size());
}

Json number_or_null(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json numbers(const std::vector<double>& values) {
  Json list = Json::array();
  for (double v : values) list.push_back(number_or_null(v));
  return list;
}

std::vector<double> numbers_from(const Json& list) {
  std::vector<double> values;
  for (const Json& item : list) values.push_back(item.is_null() ? kNaN : item.get<double>());
  return values;
}

void require_shape(const Evaluation& e) {
  if (!e.totals.empty() && e.totals.size() != e.columns.size())
    throw Error(ErrorKind::data, "evaluation.columns",
                "there are totals of " + std::to_string(e.totals.size()) + " columns for " + std::to_string(e.columns.size()),
                "evaluate the run anew: tenon evaluate RUN", "evaluation.json");
  for (const Chart& chart : e.charts)
    for (const Curve& c : chart.curves)
      if (c.x.size() != c.y.size() || c.low.size() != c.high.size() || (!c.low.empty() && c.low.size() != c.y.size()))
        throw Error(ErrorKind::data, "evaluation.chart",
                    "curve '" + c.name + "' of chart '" + chart.title + "' has " + std::to_string(c.x.size()) + " x, " + std::to_string(c.y.size()) +
                        " y and a band of " + std::to_string(c.low.size()) + " and " + std::to_string(c.high.size()) + " values",
                    "evaluate the run anew: tenon evaluate RUN", "evaluation.json");
}

constexpr const char* kKinds[] = {"line", "points", "bars"};

Json chart_to_json(const Chart& chart) {
  Json out = {{"title", chart.title}, {"x", chart.x}, {"y", chart.y}, {"note", chart.note}, {"curves", Json::array()}};
  for (const Curve& c : chart.curves) {
    Json curve = {{"name", c.name}, {"kind", kKinds[std::size_t(c.kind)]}, {"reference", c.reference}, {"x", numbers(c.x)}, {"y", numbers(c.y)}};
    if (!c.low.empty()) curve["low"] = numbers(c.low), curve["high"] = numbers(c.high);
    out["curves"].push_back(std::move(curve));
  }
  return out;
}

Chart chart_from_json(const Json& in) {
  Chart chart{in.at("title").get<std::string>(), in.at("x").get<std::string>(), in.at("y").get<std::string>(), {}, in.at("note").get<std::string>()};
  for (const Json& c : in.at("curves")) {
    Curve curve{.name = c.at("name").get<std::string>(), .x = numbers_from(c.at("x")), .y = numbers_from(c.at("y"))};
    if (c.contains("low")) curve.low = numbers_from(c.at("low")), curve.high = numbers_from(c.at("high"));
    const std::string kind = c.at("kind").get<std::string>();
    curve.kind = kind == "points" ? Curve::Kind::points : kind == "bars" ? Curve::Kind::bars : Curve::Kind::line;
    curve.reference = c.at("reference").get<bool>();
    chart.curves.push_back(std::move(curve));
  }
  return chart;
}

/// Of the split's own pictures: no case's name holds a '+' (picture_file_name()).
std::string split_picture_name(std::size_t index) { return "pictures/split+" + std::to_string(index + 1) + ".png"; }

void require_columns(const std::vector<double>& values, const Evaluation& evaluation, const std::string& whose) {
  if (values.size() != evaluation.columns.size())
    throw Error(ErrorKind::data, "evaluation.columns",
                whose + " has " + std::to_string(values.size()) + " values for " + std::to_string(evaluation.columns.size()) + " columns",
                "evaluate the run anew: tenon evaluate RUN", "evaluation.json");
}

/// A picture's name must stay inside pictures/: the file may come from elsewhere.
std::filesystem::path checked_picture(const std::string& name) {
  std::filesystem::path path(name);
  bool plain = path.is_relative() && std::distance(path.begin(), path.end()) == 2 && *path.begin() == "pictures" &&
               path.filename() != ".." && path.filename() != "." && name.find('\0') == std::string::npos;
  if (!plain)
    throw Error(ErrorKind::data, "evaluation.picture", "picture '" + name + "' does not lie in pictures/",
                "evaluate the run anew: tenon evaluate RUN", "evaluation.json");
  return path;
}

Picture picture_from_json(const Json& in, const std::filesystem::path& run) {
  Picture picture;
  picture.caption = in.at("caption").get<std::string>();
  const std::filesystem::path file = run / checked_picture(in.at("file").get<std::string>());
  if (!run.empty() && file_exists(file)) {  // a picture that was deleted stays empty: the scores are still good
    const std::vector<std::byte> bytes = read_file(file, 64u << 20);
    picture.png.resize(bytes.size());
    std::transform(bytes.begin(), bytes.end(), picture.png.begin(), [](std::byte b) { return std::uint8_t(b); });
  }
  return picture;
}

}  // namespace

std::vector<Summary> summarise(const Evaluation& evaluation) {
  require_shape(evaluation);
  std::vector<Summary> summaries;
  for (std::size_t column = 0; column < evaluation.columns.size(); ++column) {
    Summary summary;
    summary.mean = summary.low = summary.high = summary.worst = kNaN;
    std::vector<double> values;
    for (const CaseResult& result : evaluation.cases) {
      require_columns(result.values, evaluation, "case '" + result.id + "'");
      double v = result.values[column];
      if (!std::isfinite(v)) {
        ++summary.not_scored;
        continue;
      }
      const MetricColumn& c = evaluation.columns[column];
      const bool worse = c.merit(v) < c.merit(summary.worst);
      if (values.empty() || worse) {
        summary.worst = v;
        summary.worst_case = result.id;
      }
      values.push_back(v);
    }
    summary.scored = std::int64_t(values.size());
    if (!evaluation.totals.empty() && !std::isnan(evaluation.totals[column].value)) {
      const Interval& total = evaluation.totals[column];
      summary.mean = total.value, summary.low = total.low, summary.high = total.high;
      summary.total = true;
    } else if (!values.empty()) {
      const Interval mean = bootstrap(summary.scored, [&](std::span<const std::int64_t> drawn) { return mean_of(values, drawn); }, kResamples, 0.95, kBootstrapSeed);
      summary.mean = mean.value, summary.low = mean.low, summary.high = mean.high;
    }
    summaries.push_back(std::move(summary));
  }
  return summaries;
}

std::string picture_file_name(const std::string& case_id, std::size_t index) {
  std::string name;
  for (char c : case_id) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                 (c == '.' && !name.empty() && name.back() != '.');
    name += plain ? c : '_';
  }
  if (name.size() > 100) name.resize(100);
  if (name != case_id || name.empty()) name += (name.empty() ? "" : "-") + sha256_hex(case_id).substr(0, 8);
  if (index > 0) name += "-" + std::to_string(index + 1);
  return "pictures/" + name + ".png";
}

std::string evaluation_to_json(const Evaluation& evaluation) {
  Json out;
  out["format"] = kFormat;
  out["split"] = evaluation.split;
  out["summary"] = Json::array();
  std::vector<Summary> summaries = summarise(evaluation);
  for (std::size_t i = 0; i < summaries.size(); ++i) {
    const Summary& s = summaries[i];
    out["summary"].push_back({{"column", evaluation.columns[i].name},
                              {"mean", number_or_null(s.mean)},
                              {"low", number_or_null(s.low)},
                              {"high", number_or_null(s.high)},
                              {"worst", number_or_null(s.worst)},
                              {"worst_case", s.worst_case},
                              {"scored", s.scored},
                              {"not_scored", s.not_scored}});
    if (s.total) out["summary"].back()["total"] = true;
  }
  out["columns"] = Json::array();
  for (const MetricColumn& c : evaluation.columns) {
    out["columns"].push_back({{"name", c.name}, {"unit", c.unit}, {"higher_is_better", c.higher_is_better}});
    if (!c.per_case) out["columns"].back()["per_case"] = false;
    if (std::isfinite(c.ideal)) out["columns"].back()["ideal"] = c.ideal;
  }
  for (const Interval& t : evaluation.totals)
    out["totals"].push_back({{"value", number_or_null(t.value)}, {"low", number_or_null(t.low)}, {"high", number_or_null(t.high)}});
  out["baselines"] = Json::array();
  for (const Baseline& b : evaluation.baselines) {
    require_columns(b.values, evaluation, "baseline '" + b.name + "'");
    out["baselines"].push_back({{"name", b.name}, {"values", numbers(b.values)}, {"source", b.source}});
  }
  out["notes"] = evaluation.notes;
  if (!evaluation.checkpoint.empty()) out["checkpoint"] = evaluation.checkpoint;
  if (!evaluation.overrides.empty()) out["overrides"] = evaluation.overrides;
  if (!evaluation.inputs.empty()) out["inputs"] = evaluation.inputs;
  for (const ColourKey& k : evaluation.picture_key) out["picture_key"].push_back({{"name", k.name}, {"rgb", k.rgb}});
  for (const Chart& chart : evaluation.charts) out["charts"].push_back(chart_to_json(chart));
  for (std::size_t i = 0; i < evaluation.pictures.size(); ++i)
    out["pictures"].push_back({{"file", split_picture_name(i)}, {"caption", evaluation.pictures[i].caption}});
  out["cases"] = Json::array();
  for (const CaseResult& c : evaluation.cases) {
    Json item = {{"id", c.id}, {"values", numbers(c.values)}};
    for (std::size_t i = 0; i < c.pictures.size(); ++i)
      item["pictures"].push_back({{"file", picture_file_name(c.id, i)}, {"caption", c.pictures[i].caption}});
    out["cases"].push_back(std::move(item));
  }
  // Names that are no UTF-8 (file names of another age) are shown with replacement characters rather than lost.
  return json_text(out, 1) + "\n";
}

Evaluation evaluation_from_json(const std::string& json, const std::filesystem::path& run) {
  Evaluation evaluation;
  try {
    Json in = Json::parse(json);
    if (in.at("format").get<int>() != kFormat)
      throw Error(ErrorKind::data, "evaluation.format",
                  "evaluation.json has format " + in.at("format").dump() + ", this version reads " + std::to_string(kFormat),
                  "evaluate the run anew: tenon evaluate RUN", "evaluation.json");
    evaluation.split = in.at("split").get<std::string>();
    for (const Json& c : in.at("columns"))
      evaluation.columns.push_back({c.at("name").get<std::string>(), c.at("unit").get<std::string>(), c.at("higher_is_better").get<bool>(),
                                    !c.contains("per_case") || c.at("per_case").get<bool>(), c.contains("ideal") ? c.at("ideal").get<double>() : kNaN});
    const auto number_from = [](const Json& value) { return value.is_null() ? kNaN : value.get<double>(); };
    if (in.contains("totals"))
      for (const Json& t : in.at("totals")) evaluation.totals.push_back({number_from(t.at("value")), number_from(t.at("low")), number_from(t.at("high"))});
    if (in.contains("charts"))
      for (const Json& chart : in.at("charts")) evaluation.charts.push_back(chart_from_json(chart));
    require_shape(evaluation);
    if (in.contains("pictures"))
      for (const Json& p : in.at("pictures")) evaluation.pictures.push_back(picture_from_json(p, run));
    for (const Json& b : in.at("baselines")) {
      evaluation.baselines.push_back({b.at("name").get<std::string>(), numbers_from(b.at("values")), b.at("source").get<std::string>()});
      require_columns(evaluation.baselines.back().values, evaluation, "baseline '" + evaluation.baselines.back().name + "'");
    }
    evaluation.notes = in.at("notes").get<std::vector<std::string>>();
    if (in.contains("checkpoint")) evaluation.checkpoint = in.at("checkpoint").get<std::string>();
    if (in.contains("overrides")) evaluation.overrides = in.at("overrides").get<std::vector<std::string>>();
    if (in.contains("inputs")) evaluation.inputs = in.at("inputs").get<std::map<std::string, std::string>>();
    if (in.contains("picture_key"))
      for (const Json& k : in.at("picture_key"))
        evaluation.picture_key.push_back({k.at("name").get<std::string>(), k.at("rgb").get<std::array<std::uint8_t, 3>>()});
    for (const Json& c : in.at("cases")) {
      CaseResult result;
      result.id = c.at("id").get<std::string>();
      result.values = numbers_from(c.at("values"));
      require_columns(result.values, evaluation, "case '" + result.id + "'");
      if (c.contains("pictures")) {
        for (const Json& p : c.at("pictures")) result.pictures.push_back(picture_from_json(p, run));
      }
      evaluation.cases.push_back(std::move(result));
    }
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorKind::data, "evaluation.json", std::string("evaluation.json cannot be read: ") + error.what(),
                "evaluate the run anew: tenon evaluate RUN", "evaluation.json");
  }
  return evaluation;
}

void write_evaluation(const std::filesystem::path& run, const Evaluation& evaluation) {
  std::string json = evaluation_to_json(evaluation);
  const auto write_picture = [&](const std::filesystem::path& file, const Picture& picture) {
    if (picture.png.empty()) return;  // read back from a run whose picture was deleted
    files().make_directories(run / "pictures");
    write_atomic(file, std::as_bytes(std::span(picture.png)));
  };
  std::set<std::filesystem::path> written;
  for (const CaseResult& result : evaluation.cases) {
    for (std::size_t i = 0; i < result.pictures.size(); ++i) {
      std::filesystem::path file = run / picture_file_name(result.id, i);
      if (!written.insert(file).second)
        throw Error(ErrorKind::data, "evaluation.duplicate_case", "two cases have the id '" + result.id + "'",
                    "give every case an id of its own", result.id);
      write_picture(file, result.pictures[i]);
    }
  }
  for (std::size_t i = 0; i < evaluation.pictures.size(); ++i) {
    written.insert(run / split_picture_name(i));
    write_picture(run / split_picture_name(i), evaluation.pictures[i]);
  }
  write_atomic(run / "evaluation.json", json);
  std::filesystem::path folder = run / "pictures";
  if (!file_exists(folder)) return;
  for (const std::filesystem::path& file : files().list(folder))
    if (file.extension() == ".png" && !written.contains(file)) files().remove(file);
}

}  // namespace tenon

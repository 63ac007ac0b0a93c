#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <sstream>

#include "report/assets.hpp"
#include "report/charts.hpp"
#include "report/html.hpp"
#include "report/run_record.hpp"
#include "report/vega.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/sha256.hpp"
#include "tenon/run.hpp"

namespace tenon {
namespace {

using report::base64, report::escape, report::figure, report::Json, report::LineChart, report::Points, report::RunRecord, report::StripChart;

constexpr std::size_t kMaxRows = 2000;  ///< of the table of cases; a page of more is of no use to anyone

std::string plain_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "\u2013";
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number_integer()) return report::grouped(value.get<std::int64_t>());
  if (value.is_number()) return figure(value.get<double>());
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string state_text(const RunRecord& run, const char* key) {
  auto it = run.state.find(key);
  return it == run.state.end() || it->is_null() ? std::string() : plain_text(*it);
}

std::string with_unit(const MetricColumn& column) { return column.unit.empty() ? column.name : column.name + " (" + column.unit + ")"; }

/// Columns that share an axis: one group a unit, in order of appearance.
std::vector<std::vector<std::size_t>> by_unit(const Evaluation& evaluation) {
  std::vector<std::string> units;
  std::vector<std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < evaluation.columns.size(); ++i) {
    auto at = std::find(units.begin(), units.end(), evaluation.columns[i].unit);
    if (at == units.end()) {
      units.push_back(evaluation.columns[i].unit);
      groups.emplace_back();
      at = units.end() - 1;
    }
    groups[std::size_t(at - units.begin())].push_back(i);
  }
  return groups;
}

/// By the mean of the metrics that share the first one's unit and direction; what was not scored comes last.
std::vector<const CaseResult*> worst_first(const Evaluation& evaluation) {
  const auto& columns = evaluation.columns;
  std::vector<std::pair<double, const CaseResult*>> keyed;
  for (const CaseResult& c : evaluation.cases) {
    double sum = 0;
    int n = 0;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      bool same = columns[i].unit == columns[0].unit && columns[i].higher_is_better == columns[0].higher_is_better;
      if (same && std::isfinite(c.values[i])) sum += c.values[i], ++n;
    }
    keyed.emplace_back(n == 0 ? INFINITY : (columns[0].higher_is_better ? 1 : -1) * sum / n, &c);
  }
  std::stable_sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<const CaseResult*> order;
  for (const auto& [key, c] : keyed) order.push_back(c);
  return order;
}

std::string colour_style(std::size_t column) { return fmt::format("--c:var(--series-{})", column % report::kSeriesColours); }

/// Builds the page part by part; the specifications of its charts are collected on the way.
class Page {
 public:
  explicit Page(const RunRecord& run) : run_(run) {
    if (run_.evaluation) summaries_ = summarise(*run_.evaluation);
  }

  std::string html();

 private:
  std::string head(const std::string& policy) const;
  void header();
  void scores();
  void score_card(std::size_t column);
  void curves();
  void validation_charts();
  void cases();
  void case_table();
  void pictures();
  void notes();
  void facts();
  void recipe();
  void reproduce();

  void section(const char* id, const char* title) {
    body_ += fmt::format("<section id=\"{0}\"><h2>{1}</h2>\n", id, title);
    if (!links_.empty()) links_ += ' ';
    links_ += fmt::format("<a href=\"#{0}\">{1}</a>", id, title);
  }
  void end_section() { body_ += "</section>\n"; }
  template <class Chart>
  void chart(const Chart& c, const std::string& title, const std::string& legend) {
    std::string id = "c" + std::to_string(specs_.size());
    specs_[id] = report::vega_spec(c);
    body_ += "<figure class=\"chart-box\">";
    if (!title.empty()) body_ += "<h3>" + escape(title) + "</h3>";
    if (!legend.empty()) body_ += "<ul class=\"legend\">" + legend + "</ul>";
    body_ += fmt::format("<div class=\"chart\" data-chart=\"{}\">{}</div></figure>\n", id, report::static_svg(c));
  }
  static std::string legend_item(const std::string& text, const std::string& colour, const std::string& dash) {
    return fmt::format("<li><svg viewBox=\"0 0 27 11\" aria-hidden=\"true\"><line x1=\"0\" y1=\"6\" x2=\"27\" y2=\"6\" style=\"stroke:{};stroke-width:2.5;"
                       "stroke-dasharray:{}\"/></svg>{}</li>", colour, dash, escape(text));
  }
  std::string baseline_legend() const {
    std::string out;
    for (std::size_t i = 0; i < run_.evaluation->baselines.size(); ++i)
      out += legend_item(run_.evaluation->baselines[i].name, "var(--ink)", report::dash_css(int(i)));
    return out;
  }

  const RunRecord& run_;
  std::vector<Summary> summaries_;
  std::string body_, links_;
  Json specs_ = Json::object();
};

void Page::scores() {
  section("scores", "Scores");
  if (!run_.evaluation) {
    body_ += "<p class=\"soft\">No evaluation is recorded. <code>tenon evaluate " + escape(run_.folder) + "</code> scores the run.</p>";
    return end_section();
  }
  const Evaluation& e = *run_.evaluation;
  body_ += fmt::format("<p class=\"soft\">Split <b>{}</b>, {} {}. Means over cases; intervals are 95 % percentile bootstrap, 2000 resamples of cases.</p>",
                       escape(e.split), e.cases.size(), e.cases.size() == 1 ? "case" : "cases");
  body_ += "<div class=\"scores\">";
  for (std::size_t i = 0; i < e.columns.size(); ++i) score_card(i);
  body_ += "</div>\n";
  std::string sources;
  for (const Baseline& b : e.baselines)
    if (!b.source.empty()) sources += "<li><b>" + escape(b.name) + "</b>: " + escape(b.source) + "</li>";
  if (!sources.empty()) body_ += "<h3>Where the baselines come from</h3><ul class=\"notes soft\">" + sources + "</ul>";
  end_section();
}

void Page::score_card(std::size_t column) {
  const Evaluation& e = *run_.evaluation;
  const Summary& s = summaries_[column];
  const MetricColumn& c = e.columns[column];
  body_ += fmt::format("<div class=\"score\" style=\"{}\"><h3>{}<span>{} is better</span></h3><p class=\"big\">{}{}</p>", colour_style(column),
                       escape(c.name), c.higher_is_better ? "higher" : "lower", figure(s.mean), c.unit.empty() ? "" : " <small>" + escape(c.unit) + "</small>");
  body_ += s.scored == 0 ? "<p class=\"interval soft\">no case was scored</p>"
                         : fmt::format("<p class=\"interval soft\">95 % interval {} to {}</p>", figure(s.low), figure(s.high));
  if (!e.baselines.empty()) {
    body_ += "<table>";
    for (const Baseline& b : e.baselines) {
      double v = b.values[column], gain = s.mean - v;
      bool known = std::isfinite(gain) && gain != 0;
      const char* tone = !known ? "soft" : (gain > 0) == c.higher_is_better ? "better" : "worse";
      body_ += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"{}\">{}</td></tr>", escape(b.name), figure(v), tone,
                           std::isfinite(gain) ? report::signed_figure(gain) : "\u2013");
    }
    body_ += "</table>";
  }
  body_ += "<p class=\"foot soft\">";
  if (s.scored > 0) body_ += fmt::format("worst {} ({})", figure(s.worst), escape(s.worst_case));
  if (s.not_scored > 0) body_ += fmt::format("{}{} of {} not scored", s.scored > 0 ? "; " : "", s.not_scored, s.scored + s.not_scored);
  body_ += "</p></div>";
}

void Page::curves() {
  section("curves", "Training");
  if (run_.steps.empty() && run_.validations.empty()) {
    body_ += "<p class=\"soft\">No training step is recorded.</p>";
    return end_section();
  }
  Points loss, rate, norm;
  std::int64_t lost = 0;
  for (const auto& [step, row] : run_.steps) {
    loss.emplace_back(double(step), row.loss);
    rate.emplace_back(double(step), row.learning_rate);
    norm.emplace_back(double(step), row.gradient_norm);
    if (!std::isfinite(row.loss)) ++lost;
  }
  auto recorded = [](const Points& points) { return std::any_of(points.begin(), points.end(), [](const auto& p) { return std::isfinite(p.second); }); };
  std::size_t span = loss.size() / 25;
  if (recorded(loss)) {
    LineChart c{"Loss", "step", 260, {}, {}};
    c.series.push_back({"each step", 0, report::thinned(loss, 1200), true, false});
    c.series.push_back({"loss", 0, report::thinned(report::smoothed(loss, span), 600), false, false});
    chart(c, "Loss", legend_item("moving average", "var(--series-0)", "none") + legend_item("each step", "color-mix(in srgb,var(--series-0) 35%,transparent)", "none"));
    if (lost > 0) body_ += fmt::format("<p class=\"remarks\">{} of {} steps have no finite loss; the curve leaves them out.</p>", lost, loss.size());
  }
  validation_charts();
  body_ += "<div class=\"pair\">";
  if (recorded(rate)) chart(LineChart{"Learning rate", "step", 170, {{"learning rate", 2, report::thinned(rate, 400), false, false}}, {}}, "Learning rate", "");
  if (recorded(norm))
    chart(LineChart{"Gradient norm", "step", 170,
                    {{"each step", 3, report::thinned(norm, 800), true, false}, {"gradient norm", 3, report::thinned(report::smoothed(norm, span), 400), false, false}}, {}},
          "Gradient norm", "");
  body_ += "</div>";
  end_section();
}

void Page::validation_charts() {
  // Series by name: a run whose metrics changed on resume still draws what it has.
  std::vector<std::string> names;
  for (const auto& [step, row] : run_.validations)
    for (const std::string& name : row.columns)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  if (names.empty()) return;

  // Metrics share a chart when the evaluation says that they share a unit.
  std::vector<std::vector<std::size_t>> groups;
  std::vector<std::string> units;
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string unit;
    if (run_.evaluation)
      for (const MetricColumn& c : run_.evaluation->columns)
        if (c.name == names[i]) unit = c.unit;
    auto at = std::find(units.begin(), units.end(), unit);
    if (at == units.end()) {
      units.push_back(unit);
      groups.emplace_back();
      at = units.end() - 1;
    }
    groups[std::size_t(at - units.begin())].push_back(i);
  }
  for (std::size_t g = 0; g < groups.size(); ++g) {
    LineChart c{"Validation", "step", 260, {}, {}};
    std::string legend;
    for (std::size_t i : groups[g]) {
      Points points;
      for (const auto& [step, row] : run_.validations)
        for (std::size_t k = 0; k < row.columns.size(); ++k)
          if (row.columns[k] == names[i]) points.emplace_back(double(step), row.mean[k]);
      c.series.push_back({names[i], int(i), points, false, points.size() <= 200});
      legend += legend_item(names[i], fmt::format("var(--series-{})", i % report::kSeriesColours), "none");
      if (!run_.evaluation) continue;
      for (std::size_t k = 0; k < run_.evaluation->columns.size(); ++k)
        if (run_.evaluation->columns[k].name == names[i])
          for (std::size_t b = 0; b < run_.evaluation->baselines.size(); ++b)
            if (double v = run_.evaluation->baselines[b].values[k]; std::isfinite(v))
              c.rules.push_back({run_.evaluation->baselines[b].name, int(i), int(b), v});
    }
    if (!c.rules.empty()) legend += baseline_legend();
    chart(c, "Validation" + (units[g].empty() ? "" : ", " + units[g]), legend);
  }
}

void Page::cases() {
  if (!run_.evaluation || run_.evaluation->cases.empty()) return;
  const Evaluation& e = *run_.evaluation;
  section("cases", "Every case");
  for (const auto& group : by_unit(e)) {
    StripChart strip{e.columns[group[0]].unit, {}};
    for (std::size_t column : group) {
      const Summary& s = summaries_[column];
      report::StripRow row{e.columns[column].name, int(column), {}, s.mean, s.low, s.high, {}};
      for (const CaseResult& c : e.cases)
        if (std::isfinite(c.values[column])) row.cases.emplace_back(c.id, c.values[column]);
      for (std::size_t b = 0; b < e.baselines.size(); ++b)
        if (std::isfinite(e.baselines[b].values[column])) row.rules.push_back({e.baselines[b].name, 0, int(b), e.baselines[b].values[column]});
      if (!row.cases.empty()) strip.rows.push_back(std::move(row));
    }
    std::string legend = "<li><svg viewBox=\"0 0 27 11\" aria-hidden=\"true\"><line x1=\"0\" y1=\"6\" x2=\"27\" y2=\"6\" style=\"stroke:var(--ink);stroke-width:4\"/>"
                         "<circle cx=\"13.5\" cy=\"6\" r=\"4\" style=\"fill:var(--paper);stroke:var(--ink);stroke-width:2\"/></svg>mean and 95 % interval</li>";
    if (!strip.rows.empty()) chart(strip, "", group[0] == 0 ? legend + baseline_legend() : "");
  }
  case_table();
  end_section();
}

void Page::case_table() {
  const Evaluation& e = *run_.evaluation;
  if (e.columns.empty()) return;
  std::vector<const CaseResult*> order = worst_first(e);
  std::vector<double> low(e.columns.size(), INFINITY), high(e.columns.size(), -INFINITY);
  for (const CaseResult& c : e.cases)
    for (std::size_t i = 0; i < e.columns.size(); ++i)
      if (std::isfinite(c.values[i])) low[i] = std::min(low[i], c.values[i]), high[i] = std::max(high[i], c.values[i]);

  body_ += "<p class=\"soft\">Worst first; a click on a heading sorts by it. The dot shows where a case lies between the lowest and the highest.";
  if (order.size() > kMaxRows) body_ += fmt::format(" The {} worst of {} are listed; evaluation.json has all.", kMaxRows, order.size());
  body_ += "</p><div class=\"scroll\"><table class=\"cases sortable\"><thead><tr><th scope=\"col\" data-kind=\"text\" data-first=\"ascending\"><button>Case</button></th>";
  for (const MetricColumn& c : e.columns)
    body_ += fmt::format("<th scope=\"col\" data-kind=\"number\" data-first=\"{}\"><button>{}</button></th>", c.higher_is_better ? "ascending" : "descending",
                         escape(with_unit(c)));
  body_ += "</tr></thead><tbody>\n";
  for (std::size_t r = 0; r < std::min(order.size(), kMaxRows); ++r) {
    const CaseResult& c = *order[r];
    body_ += fmt::format("<tr><th scope=\"row\" data-key=\"{0}\">{0}</th>", escape(c.id));
    for (std::size_t i = 0; i < e.columns.size(); ++i) {
      double v = c.values[i];
      if (!std::isfinite(v)) {
        body_ += "<td data-key=\"\"><span class=\"not-scored\">not scored</span></td>";
        continue;
      }
      double share = high[i] > low[i] ? (v - low[i]) / (high[i] - low[i]) : 0.5;
      body_ += fmt::format("<td data-key=\"{}\"><span class=\"value\">{}</span><span class=\"place\" style=\"{};--v:{:.0f}%\"><i></i></span></td>", v, figure(v),
                           colour_style(i), 100 * share);
    }
    body_ += "</tr>\n";
  }
  body_ += "</tbody></table></div>";
}

void Page::pictures() {
  if (!run_.evaluation) return;
  std::string figures;
  std::size_t missing = 0;
  for (const CaseResult* c : worst_first(*run_.evaluation)) {
    for (const Picture& p : c->pictures) {
      static constexpr std::array<std::uint8_t, 8> kSignature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
      if (p.png.size() < kSignature.size() || !std::equal(kSignature.begin(), kSignature.end(), p.png.begin())) {
        ++missing;
        continue;
      }
      std::string caption = "<b>" + escape(c->id) + "</b>" + (p.caption.empty() || p.caption == c->id ? "" : " \u2013 " + escape(p.caption));
      figures += fmt::format("<figure><img alt=\"{}\" src=\"data:image/png;base64,{}\"><figcaption>{}</figcaption></figure>\n",
                             escape(c->id + " " + p.caption), base64(p.png), caption);
    }
  }
  if (figures.empty() && missing == 0) return;
  section("pictures", "Pictures");
  if (missing > 0)
    body_ += fmt::format("<p class=\"remarks\">{} {} named in evaluation.json {} not there or no PNG.</p>", missing, missing == 1 ? "picture" : "pictures",
                         missing == 1 ? "is" : "are");
  body_ += "<div class=\"pictures\">" + figures + "</div>";
  end_section();
}

void Page::notes() {
  if (!run_.evaluation || run_.evaluation->notes.empty()) return;
  section("rules", "Rules of the scores");
  body_ += "<ul class=\"notes\">";
  for (const std::string& note : run_.evaluation->notes) body_ += "<li>" + escape(note) + "</li>";
  body_ += "</ul>";
  end_section();
}

void Page::facts() {
  if (run_.state.empty()) return;
  section("run", "The run");
  static constexpr std::pair<const char*, const char*> kKnown[] = {
      {"status", "Status"}, {"task", "Task"}, {"model", "Model"}, {"parameters", "Parameters"}, {"steps", "Steps"}, {"seconds", "Time in training"},
      {"device", "Device"}, {"precision", "Precision"}, {"threads", "Threads"}, {"acceptance", "Acceptance"}, {"tenon", "Tenon"}};
  auto row = [&](const std::string& title, const std::string& text) {
    body_ += "<tr><th scope=\"row\">" + escape(title) + "</th><td>" + escape(text) + "</td></tr>";
  };
  body_ += "<table class=\"facts\">";
  for (const auto& [key, title] : kKnown) {
    if (!run_.state.contains(key)) continue;
    const Json& value = run_.state[key];
    row(title, std::string_view(key) == "seconds" && value.is_number() ? report::duration(value.get<double>()) : plain_text(value));
  }
  for (const auto& [key, value] : run_.state.items()) {
    bool known = key == "versions" || key == "inputs" || std::any_of(std::begin(kKnown), std::end(kKnown), [&](const auto& k) { return key == k.first; });
    if (!known) row(key, plain_text(value));
  }
  body_ += "</table>";
  if (auto it = run_.state.find("versions"); it != run_.state.end() && it->is_object()) {
    body_ += "<h3>Versions</h3><table class=\"facts\">";
    for (const auto& [key, value] : it->items()) row(key, plain_text(value));
    body_ += "</table>";
  }
  if (auto it = run_.state.find("inputs"); it != run_.state.end() && it->is_object()) {
    body_ += fmt::format("<details><summary>Digests of {} input {} (SHA-256)</summary><table class=\"digests\">", it->size(), it->size() == 1 ? "file" : "files");
    for (const auto& [key, value] : it->items()) body_ += "<tr><th scope=\"row\">" + escape(key) + "</th><td>" + escape(plain_text(value)) + "</td></tr>";
    body_ += "</table></details>";
  }
  end_section();
}

void Page::recipe() {
  if (run_.recipe.empty()) return;
  section("recipe", "Recipe");
  body_ += "<p class=\"soft\">As it ran, every value; lines that are the defaults are dimmed.</p><pre>";
  std::istringstream lines(run_.recipe);
  for (std::string line; std::getline(lines, line);) {
    std::size_t end = line.find_last_not_of(" \r");
    bool is_default = end != std::string::npos && std::string_view(line).substr(0, end + 1).ends_with("# default");
    const char* css = is_default ? "default" : line.starts_with("[") ? "section" : nullptr;
    body_ += css ? fmt::format("<span class=\"{}\">{}</span>\n", css, escape(line)) : escape(line) + "\n";
  }
  body_ += "</pre>";
  end_section();
}

void Page::reproduce() {
  section("reproduce", "How to reproduce it");
  std::string split = run_.evaluation && !run_.evaluation->split.empty() ? " --split " + run_.evaluation->split : "";
  body_ += "<pre>tenon train " + escape(run_.folder) + "/recipe.toml\ntenon evaluate RUN" + escape(split) + "</pre>";
  std::string version = state_text(run_, "tenon");
  body_ += "<p class=\"soft\">RUN is the folder that the first command names. With the same input files" + std::string(run_.state.contains("inputs") ? " (digests above)" : "") +
           (version.empty() ? "" : ", Tenon " + escape(version)) +
           ", the same instruction set and library versions, the weights are the same bit for bit, for any number of threads.</p>";
  end_section();
}

void Page::header() {
  std::string status = state_text(run_, "status");
  bool known = status == "finished" || status == "interrupted" || status == "running";
  std::string top = "<header><p class=\"eyebrow\">Tenon run report</p><h1>" + escape(run_.name) +
                    fmt::format("<span class=\"status {}\">{}</span></h1><p class=\"lead\">", known ? status : "unknown", escape(status.empty() ? "status unknown" : status));
  auto item = [&](const std::string& text) {
    if (!text.empty()) top += "<span>" + escape(text) + "</span>";
  };
  item(run_.date);
  item(state_text(run_, "model"));
  item(state_text(run_, "device"));
  item(state_text(run_, "precision"));
  if (run_.state.contains("threads")) item(state_text(run_, "threads") + (state_text(run_, "threads") == "1" ? " thread" : " threads"));
  if (run_.state.contains("steps")) item(state_text(run_, "steps") + " steps");
  if (auto it = run_.state.find("seconds"); it != run_.state.end() && it->is_number()) item(report::duration(it->get<double>()));
  top += "</p><nav aria-label=\"Contents\">" + links_ + "</nav>";
  if (!run_.remarks.empty()) {
    top += "<div class=\"remarks\" role=\"note\">What this report could not show:<ul>";
    for (const std::string& remark : run_.remarks) top += "<li>" + escape(remark) + "</li>";
    top += "</ul></div>";
  }
  body_ = top + "</header>\n<main>\n" + body_ + "</main>\n";
}

std::string Page::head(const std::string& policy) const {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"" + policy +
         "\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n"
         "<link rel=\"icon\" href=\"data:,\">\n<title>" +
         escape(run_.name) + " \u2013 Tenon run report</title>\n<style>" + std::string(report::kStyle) + "</style>\n</head>\n";
}

std::string Page::html() {
  scores();
  curves();
  cases();
  pictures();
  notes();
  facts();
  recipe();
  reproduce();
  header();

  // Only these very scripts may run: a policy by digest holds even where some text should slip through unescaped.
  auto digest_of = [](const std::string& script) {
    Sha256 sha;
    sha.update(script.data(), script.size());
    auto digest = sha.digest();
    return "'sha256-" + base64(digest) + "'";
  };
  std::string vega = report::vega_script(), own(report::kScript);
  std::string policy = "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src 'unsafe-inline'; script-src " + digest_of(own);
  if (!vega.empty()) policy += " " + digest_of(vega);
  std::string version = state_text(run_, "tenon");
  body_ += "<footer>One file, nothing is loaded from elsewhere." + (version.empty() ? "" : " Trained by Tenon " + escape(version) + ".") +
           (vega.empty() ? " Charts are static: Vega (package libjs-vega) was not found when the report was written." : "") + "</footer>\n";
  return head(policy) + "<body>\n" + body_ + "<script type=\"application/json\" id=\"charts\">" + report::script_json(specs_) + "</script>\n" +
         (vega.empty() ? "" : "<script>" + vega + "</script>\n") + "<script>" + own + "</script>\n</body>\n</html>\n";
}

}  // namespace

std::filesystem::path write_report(const std::filesystem::path& run) {
  std::filesystem::path file = run / "report.html";
  write_atomic(file, Page(report::read_run(run)).html());
  return file;
}

}  // namespace tenon

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "report/page.hpp"

namespace tenon::report {
namespace {

constexpr std::size_t kMaxRows = 2000;  ///< of the table of cases; a page of more is of no use to anyone

std::string with_unit(const MetricColumn& column) {
  return column.unit.empty() ? column.name : column.name + " (" + column.unit + ")";
}

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
  std::size_t first = 0;
  while (first + 1 < columns.size() && !columns[first].per_case) ++first;
  std::vector<std::pair<double, const CaseResult*>> keyed;
  for (const CaseResult& c : evaluation.cases) {
    double sum = 0;
    int n = 0;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      bool same = columns[i].per_case && columns[i].unit == columns[first].unit && columns[i].higher_is_better == columns[first].higher_is_better && !std::isfinite(columns[i].ideal);
      if (same && std::isfinite(c.values[i])) sum += c.values[i], ++n;
    }
    keyed.emplace_back(n == 0 ? INFINITY : (columns[first].higher_is_better ? 1 : -1) * sum / n, &c);
  }
  std::stable_sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<const CaseResult*> order;
  for (const auto& [key, c] : keyed) order.push_back(c);
  return order;
}

/// A caption that begins with the case's id would say it twice.
std::string without_id(const std::string& caption, const std::string& id) {
  if (id.empty() || !caption.starts_with(id)) return caption;
  const std::size_t at = caption.find_first_not_of(",: ", id.size());
  return at == std::string::npos ? "" : at == id.size() ? caption : caption.substr(at);
}

bool is_png(const std::vector<std::uint8_t>& bytes) {
  static constexpr std::array<std::uint8_t, 8> kSignature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  return bytes.size() >= kSignature.size() && std::equal(kSignature.begin(), kSignature.end(), bytes.begin());
}

std::string colour_style(std::size_t column) {
  return fmt::format("--c:var(--series-{})", column % kSeriesColours);
}

}  // namespace

void Page::scores() {
  section("scores", "Scores");
  if (!run_.evaluation) {
    body_ += "<p class=\"soft\">No evaluation is recorded. <code>tenon evaluate " + escape(shell_quoted(run_.path)) + "</code> scores the run.</p>";
    return end_section();
  }
  const Evaluation& e = *run_.evaluation;
  const auto of_all = std::count_if(summaries_.begin(), summaries_.end(), [](const Summary& s) { return s.total; });
  const char* means = "Means over cases; intervals are 95 % percentile bootstrap, 2000 resamples of cases.";
  const char* totals = "Scores of all cases together; the rules of the scores say how their intervals were made.";
  body_ += fmt::format("<p class=\"soft\">Split <b>{}</b>, {} {}. {}</p>", escape(e.split), e.cases.size(), e.cases.size() == 1 ? "case" : "cases",
                       of_all == 0                               ? std::string(means)
                       : std::size_t(of_all) == summaries_.size() ? std::string(totals)
                                                                  : "Scores of all cases together where the rules of the scores say so; else: " + std::string(means));
  if (!e.overrides.empty()) {
    std::string changes;
    for (const std::string& change : e.overrides) changes += (changes.empty() ? "" : ", ") + ("<code>" + escape(change) + "</code>");
    body_ += "<p class=\"remarks\">These are not the scores of the run as it was trained: it was evaluated with " + changes + ".</p>";
  }
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
  const std::string better = std::isfinite(c.ideal) ? fmt::format("nearer to {:g}", c.ideal) : c.higher_is_better ? "higher" : "lower";
  body_ += fmt::format("<div class=\"score\" style=\"{}\"><h3>{}<span>{} is better</span></h3><p class=\"big\">{}{}</p>",
                       colour_style(column), escape(c.name), better, figure(s.mean),
                       c.unit.empty() ? "" : " <small>" + escape(c.unit) + "</small>");
  body_ += s.scored == 0 && !s.total ? "<p class=\"interval soft\">no case was scored</p>"
           : !std::isfinite(s.low) || !std::isfinite(s.high) ? std::string("<p class=\"interval soft\">no interval</p>")
                         : fmt::format("<p class=\"interval soft\">95 % interval {} to {}</p>", figure(s.low), figure(s.high));
  if (!e.baselines.empty()) {
    body_ += "<table>";
    for (const Baseline& b : e.baselines) {
      double v = b.values[column], gain = s.mean - v;
      body_ += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"{}\">{}</td></tr>", escape(b.name), figure(v), tone(c, s.mean, v),
                           std::isfinite(gain) ? signed_figure(gain) : "\u2013");
    }
    body_ += "</table>";
  }
  body_ += "<p class=\"foot soft\">";
  if (s.scored > 0) body_ += fmt::format("worst {} ({})", figure(s.worst), escape(s.worst_case));
  if (s.not_scored > 0 && c.per_case) body_ += fmt::format("{}{} of {} not scored", s.scored > 0 ? "; " : "", s.not_scored, s.scored + s.not_scored);
  body_ += "</p></div>";
}

void Page::charts() {
  if (!run_.evaluation || (run_.evaluation->charts.empty() && run_.evaluation->pictures.empty())) return;
  section("skill", "Skill");
  for (const Chart& c : run_.evaluation->charts) {
    const LineChart drawn = line_chart(c);
    std::string legend;
    for (const Series& s : drawn.series) {
      const std::string colour = s.colour == kInk ? "var(--ink)" : fmt::format("var(--series-{})", s.colour % kSeriesColours);
      legend += s.line ? legend_item(s.name, colour, s.dash < 0 ? "none" : dash_css(s.dash)) : legend_mark(s.name, colour, s.bars);
    }
    chart(drawn, c.title, legend);
    if (!c.note.empty()) body_ += "<p class=\"soft\">" + escape(c.note) + "</p>";
  }
  std::string figures;
  for (const Picture& p : run_.evaluation->pictures)
    if (is_png(p.png))
      figures += fmt::format("<figure><img alt=\"{0}\" src=\"data:image/png;base64,{1}\"><figcaption>{0}</figcaption></figure>\n", escape(p.caption), base64(p.png));
  if (!figures.empty()) body_ += "<div class=\"pictures\">" + figures + "</div>";
  end_section();
}

void Page::cases() {
  if (!run_.evaluation || run_.evaluation->cases.empty()) return;
  const Evaluation& e = *run_.evaluation;
  section("cases", "Every case");
  bool first = true;
  for (const auto& group : by_unit(e)) {
    StripChart strip{e.columns[group[0]].unit, {}};
    for (std::size_t column : group) {
      const Summary& s = summaries_[column];
      if (!e.columns[column].per_case) continue;
      StripRow row{e.columns[column].name, int(column), {}, s.mean, s.low, s.high, {}};
      for (const CaseResult& c : e.cases)
        if (std::isfinite(c.values[column])) row.cases.emplace_back(c.id, c.values[column]);
      for (std::size_t b = 0; b < e.baselines.size(); ++b)
        if (std::isfinite(e.baselines[b].values[column]))
          row.rules.push_back({e.baselines[b].name, 0, int(b), e.baselines[b].values[column]});
      if (!row.cases.empty()) strip.rows.push_back(std::move(row));
    }
    std::string legend =
        "<li><svg viewBox=\"0 0 27 11\" aria-hidden=\"true\"><line x1=\"0\" y1=\"6\" x2=\"27\" y2=\"6\" "
        "style=\"stroke:var(--ink);stroke-width:4\"/>"
        "<circle cx=\"13.5\" cy=\"6\" r=\"4\" style=\"fill:var(--paper);stroke:var(--ink);stroke-width:2\"/></svg>mean and 95 % "
        "interval</li>";
    if (strip.rows.empty()) continue;
    chart(strip, "", first ? legend + baseline_legend() : "");
    first = false;
  }
  case_table();
  end_section();
}

void Page::case_table() {
  const Evaluation& e = *run_.evaluation;
  std::vector<std::size_t> shown;
  for (std::size_t i = 0; i < e.columns.size(); ++i)
    if (e.columns[i].per_case) shown.push_back(i);
  if (shown.empty()) return;
  std::vector<const CaseResult*> order = worst_first(e);
  std::vector<double> low(e.columns.size(), INFINITY), high(e.columns.size(), -INFINITY);
  for (const CaseResult& c : e.cases)
    for (std::size_t i = 0; i < e.columns.size(); ++i)
      if (std::isfinite(c.values[i])) low[i] = std::min(low[i], c.values[i]), high[i] = std::max(high[i], c.values[i]);

  body_ +=
      "<p class=\"soft\">Worst first; a click on a heading sorts by it. The dot shows where a case lies between the lowest and the "
      "highest.";
  if (order.size() > kMaxRows) body_ += fmt::format(" The {} worst of {} are listed; evaluation.json has all.", kMaxRows, order.size());
  body_ +=
      "</p><div class=\"scroll\"><table class=\"cases sortable\"><thead><tr><th scope=\"col\" data-kind=\"text\" "
      "data-first=\"ascending\"><button>Case</button></th>";
  for (std::size_t i : shown) {
    const MetricColumn& c = e.columns[i];
    body_ += fmt::format("<th scope=\"col\" data-kind=\"number\" data-first=\"{}\"><button>{}</button></th>",
                         c.higher_is_better ? "ascending" : "descending", escape(with_unit(c)));
  }
  body_ += "</tr></thead><tbody>\n";
  for (std::size_t r = 0; r < std::min(order.size(), kMaxRows); ++r) {
    const CaseResult& c = *order[r];
    body_ += fmt::format("<tr><th scope=\"row\" data-key=\"{0}\">{0}</th>", escape(c.id));
    for (std::size_t i : shown) {
      double v = c.values[i];
      if (!std::isfinite(v)) {
        body_ += "<td data-key=\"\"><span class=\"not-scored\">not scored</span></td>";
        continue;
      }
      double share = high[i] > low[i] ? (v - low[i]) / (high[i] - low[i]) : 0.5;
      body_ += fmt::format(
          "<td data-key=\"{}\"><span class=\"value\">{}</span><span class=\"place\" style=\"{};--v:{:.0f}%\"><i></i></span></td>", v,
          figure(v), colour_style(i), 100 * share);
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
      if (!is_png(p.png)) {
        ++missing;
        continue;
      }
      const std::string said = without_id(p.caption, c->id);
      const std::string caption = "<b>" + escape(c->id) + "</b>" + (said.empty() ? "" : " \u2013 " + escape(said));
      figures += fmt::format("<figure><img alt=\"{}\" src=\"data:image/png;base64,{}\"><figcaption>{}</figcaption></figure>\n",
                             escape(c->id + " " + said), base64(p.png), caption);
    }
  }
  if (figures.empty() && missing == 0) return;
  section("pictures", "Pictures");
  if (missing > 0)
    body_ += fmt::format("<p class=\"remarks\">{} {} named in evaluation.json {} not there or no PNG.</p>", missing,
                         missing == 1 ? "picture" : "pictures", missing == 1 ? "is" : "are");
  if (const auto& key = run_.evaluation->picture_key; !key.empty()) {
    std::string items;
    for (const ColourKey& k : key) items += legend_item(k.name, fmt::format("rgb({} {} {})", k.rgb[0], k.rgb[1], k.rgb[2]), "none");
    body_ += "<ul class=\"legend\">" + items + "</ul>";
  }
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

}  // namespace tenon::report

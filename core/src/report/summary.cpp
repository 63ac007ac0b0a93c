#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "report/assets.hpp"
#include "report/charts.hpp"
#include "report/html.hpp"
#include "report/run_record.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/run.hpp"

namespace tenon {
namespace report {
namespace {

constexpr const char* kSummaryStyle = R"css(
.runs{display:grid;gap:1.6rem;margin-top:2rem}
.run{padding:1.2rem 1.4rem;background:var(--panel);border-radius:.6rem}
.run h2{margin:0;padding:0;border:0}
.run .lead{font-size:.9rem}
.run .body{display:grid;grid-template-columns:minmax(0,3fr) minmax(0,2fr);gap:1.6rem;margin-top:.8rem;align-items:start}
.run td,.run thead th{padding:.25rem .6rem .25rem 0;vertical-align:top}
.run tbody th{padding:.25rem .8rem .25rem 0;font-weight:600}
.run tr.baseline th{font-weight:400;color:var(--soft);padding-left:1rem}
.run tr.scored>*{border-top:1px solid var(--rule)}
.run td{white-space:nowrap}
.run img{display:block;width:100%;height:auto;border-radius:.5rem;image-rendering:pixelated}
.run figure{margin:0 0 1rem}
.run figcaption{margin-top:.3rem;font-size:.8rem}
@media (max-width:50rem){.run .body{grid-template-columns:1fr}}
)css";

constexpr std::size_t kMostColumns = 4;  ///< of a run's scores; the report has all

/// A path as the address of a link: relative, every byte that is not plain percent-encoded.
std::string address(const std::filesystem::path& file, const std::filesystem::path& from) {
  const std::string path = std::filesystem::absolute(file).lexically_normal().lexically_relative(std::filesystem::absolute(from).lexically_normal()).generic_string();
  std::string out;
  for (const unsigned char c : path) {
    const bool plain = std::isalnum(c) || c == '/' || c == '.' || c == '-' || c == '_' || c == '~';
    out += plain ? std::string(1, char(c)) : fmt::format("%{:02X}", c);
  }
  return out;
}

std::string text_of(const RunRecord& run, const char* key) {
  const auto it = run.state.find(key);
  return it == run.state.end() || !it->is_string() ? std::string() : it->get<std::string>();
}

std::string scores_of(const Evaluation& e) {
  const std::vector<Summary> summaries = summarise(e);
  std::string out = "<table><thead><tr><th scope=\"col\">" + escape(e.split) + "</th><th scope=\"col\">score</th><th scope=\"col\">95 % interval</th></tr></thead><tbody>";
  const std::size_t shown = std::min(e.columns.size(), kMostColumns);
  for (std::size_t i = 0; i < shown; ++i) {
    const MetricColumn& c = e.columns[i];
    const Summary& s = summaries[i];
    out += fmt::format("<tr class=\"scored\"><th scope=\"row\">{}{}</th><td><b>{}</b></td><td>{}</td></tr>", escape(c.name), c.unit.empty() ? "" : " (" + escape(c.unit) + ")",
                       figure(s.mean), std::isfinite(s.low) ? figure(s.low) + " to " + figure(s.high) : "\u2013");
    for (const Baseline& b : e.baselines) {
      const double gain = s.mean - b.values[i];
      if (!std::isfinite(b.values[i])) continue;
      out += fmt::format("<tr class=\"baseline\"><th scope=\"row\">{}</th><td>{}</td><td class=\"{}\">{}</td></tr>", escape(b.name), figure(b.values[i]), tone(c, s.mean, b.values[i]),
                         std::isfinite(gain) ? signed_figure(gain) : "");
    }
  }
  out += "</tbody></table>";
  return shown == e.columns.size() ? out : out + fmt::format("<p class=\"soft\">{} more scores in the report</p>", e.columns.size() - shown);
}

/// The first chart, and the first picture: of the split, else of its worst-scored case that has one.
std::string pictures_of(const Evaluation& e) {
  std::string out;
  if (!e.charts.empty())
    out += "<figure>" + static_svg(line_chart(e.charts[0])) + "<figcaption>" + escape(e.charts[0].title) + "</figcaption></figure>";
  const Picture* picture = e.pictures.empty() ? nullptr : &e.pictures[0];
  std::string caption = picture ? picture->caption : "";
  for (const CaseResult& c : e.cases) {
    if (picture || c.pictures.empty()) continue;
    picture = &c.pictures[0];
    caption = c.id + ", " + picture->caption;
  }
  if (picture && !picture->png.empty())
    out += fmt::format("<figure><img alt=\"{0}\" src=\"data:image/png;base64,{1}\"><figcaption>{0}</figcaption></figure>", escape(caption), base64(picture->png));
  return out;
}

std::string run_panel(const RunRecord& run, const std::string& link) {
  std::string out = fmt::format("<section class=\"run\"><h2><a href=\"{}\">{}</a></h2><p class=\"lead\">", escape(link), escape(run.name));
  const auto item = [&](const std::string& text) {
    if (!text.empty()) out += "<span>" + escape(text) + "</span>";
  };
  item(run.folder == run.name ? "" : run.folder), item(text_of(run, "task")), item(text_of(run, "model")), item(text_of(run, "status"));
  if (const auto it = run.state.find("seconds"); it != run.state.end() && it->is_number()) item(duration(it->get<double>()) + " of training");
  item(text_of(run, "device"));
  out += "</p><div class=\"body\"><div>";
  out += run.evaluation ? scores_of(*run.evaluation) : "<p class=\"soft\">not evaluated</p>";
  out += "</div><div>" + (run.evaluation ? pictures_of(*run.evaluation) : std::string()) + "</div></div></section>\n";
  return out;
}

}  // namespace
}  // namespace report

std::filesystem::path write_summary(const std::vector<std::filesystem::path>& runs, const std::filesystem::path& file) {
  using namespace report;
  if (runs.empty()) throw_usage("write_summary", "no runs");
  std::string panels;
  for (const std::filesystem::path& run : runs) panels += run_panel(read_run(run), address(run / "report.html", std::filesystem::absolute(file).parent_path()));
  const std::string page =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri "
      "'none'; form-action 'none'; img-src data:; style-src 'unsafe-inline'\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<link rel=\"icon\" "
      "href=\"data:,\">\n<title>Tenon: " +
      std::to_string(runs.size()) + (runs.size() == 1 ? " run" : " runs") + "</title>\n<style>" + std::string(kStyle) + kSummaryStyle +
      "</style>\n</head>\n<body>\n<header><p class=\"eyebrow\">Tenon</p><h1>" + std::to_string(runs.size()) + (runs.size() == 1 ? " run" : " runs") +
      "</h1><p class=\"soft\">Each name leads to the run's whole report. Scores stand beside their baselines; the last column is the score less the baseline.</p></header>\n<main><div "
      "class=\"runs\">\n" +
      panels + "</div></main>\n<footer>One file, nothing is loaded from elsewhere.</footer>\n</body>\n</html>\n";
  write_atomic(file, page);
  return file;
}

}  // namespace tenon

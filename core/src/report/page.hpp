/// The report's page, built section by section; the specifications of its charts are collected on the way.
///
/// page.cpp has the frame (head, policy, header, the run's facts, recipe), page_curves.cpp the training curves,
/// page_scores.cpp scores, cases and pictures.
#pragma once

#include <string>
#include <vector>

#include "report/charts.hpp"
#include "report/html.hpp"
#include "report/run_record.hpp"
#include "tenon/run.hpp"

namespace tenon::report {

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
  void charts();
  void cases();
  void case_table();
  void pictures();
  void notes();
  void facts();
  void digests(const Json& files, const char* what);
  void recipe();
  void reproduce();

  void section(const char* id, const char* title);
  void end_section() { body_ += "</section>\n"; }
  void chart(const LineChart& c, const std::string& title, const std::string& legend) {
    add_chart(vega_spec(c), static_svg(c), title, legend);
  }
  void chart(const StripChart& c, const std::string& title, const std::string& legend) {
    add_chart(vega_spec(c), static_svg(c), title, legend);
  }
  void add_chart(Json spec, const std::string& svg, const std::string& title, const std::string& legend);
  static std::string legend_item(const std::string& text, const std::string& colour, const std::string& dash);
  static std::string legend_mark(const std::string& text, const std::string& colour, bool bar);  ///< of points, or of bars
  std::string baseline_legend() const;
  std::string earlier_devices() const;

  const RunRecord& run_;
  std::vector<Summary> summaries_;
  std::string body_, links_;
  Json specs_ = Json::object();
};

}  // namespace tenon::report

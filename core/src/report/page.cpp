#include "report/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <sstream>

#include "report/assets.hpp"
#include "report/vega.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/sha256.hpp"
#include "tenon/io/utf8.hpp"

namespace tenon {
namespace report {
namespace {

std::string plain_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "\u2013";
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number_integer()) return grouped(value.get<std::int64_t>());
  if (value.is_number()) return figure(value.get<double>());
  return json_text(value, -1);
}

std::string state_text(const RunRecord& run, const char* key) {
  auto it = run.state.find(key);
  return it == run.state.end() || it->is_null() ? std::string() : plain_text(*it);
}

}  // namespace

void Page::section(const char* id, const char* title) {
  body_ += fmt::format("<section id=\"{0}\"><h2>{1}</h2>\n", id, title);
  if (!links_.empty()) links_ += ' ';
  links_ += fmt::format("<a href=\"#{0}\">{1}</a>", id, title);
}

void Page::add_chart(Json spec, const std::string& svg, const std::string& title, const std::string& legend) {
  std::string id = "c" + std::to_string(specs_.size());
  specs_[id] = std::move(spec);
  body_ += "<figure class=\"chart-box\">";
  if (!title.empty()) body_ += "<h3>" + escape(title) + "</h3>";
  if (!legend.empty()) body_ += "<ul class=\"legend\">" + legend + "</ul>";
  body_ += fmt::format("<div class=\"chart\" data-chart=\"{}\">{}</div></figure>\n", id, svg);
}

std::string Page::legend_item(const std::string& text, const std::string& colour, const std::string& dash) {
  return fmt::format(
      "<li><svg viewBox=\"0 0 27 11\" aria-hidden=\"true\"><line x1=\"0\" y1=\"6\" x2=\"27\" y2=\"6\" style=\"stroke:{};stroke-width:2.5;"
      "stroke-dasharray:{}\"/></svg>{}</li>",
      colour, dash, escape(text));
}

std::string Page::legend_mark(const std::string& text, const std::string& colour, bool bar) {
  const char* shape = bar ? "<rect x=\"9\" y=\"1\" width=\"9\" height=\"10\"" : "<circle cx=\"13.5\" cy=\"6\" r=\"4\"";
  return fmt::format("<li><svg viewBox=\"0 0 27 11\" aria-hidden=\"true\">{} style=\"fill:{}\"/></svg>{}</li>", shape, colour, escape(text));
}

std::string Page::baseline_legend() const {
  std::string out;
  for (std::size_t i = 0; i < run_.evaluation->baselines.size(); ++i)
    out += legend_item(run_.evaluation->baselines[i].name, "var(--ink)", dash_css(int(i)));
  return out;
}

std::string Page::earlier_devices() const {
  std::string names;
  const auto it = run_.state.find("earlier_devices");
  if (it == run_.state.end() || !it->is_array()) return names;
  for (const Json& d : *it)
    if (d.is_string()) names += (names.empty() ? "" : ", ") + d.get<std::string>();
  return names;
}

void Page::facts() {
  if (run_.state.empty()) return;
  section("run", "The run");
  static constexpr std::pair<const char*, const char*> kKnown[] = {
      {"status", "Status"},         {"task", "Task"},           {"model", "Model"},
      {"parameters", "Parameters"}, {"steps", "Steps"},         {"seconds", "Time in training"},
      {"device", "Device"},         {"precision", "Precision"}, {"threads", "Threads"},
      {"acceptance", "Acceptance"}, {"tenon", "Tenon"}};
  auto row = [&](const std::string& title, const std::string& text) {
    body_ += "<tr><th scope=\"row\">" + escape(title) + "</th><td>" + escape(text) + "</td></tr>";
  };
  body_ += "<table class=\"facts\">";
  for (const auto& [key, title] : kKnown) {
    if (!run_.state.contains(key)) continue;
    const Json& value = run_.state[key];
    if (std::string_view(key) == "device" && !earlier_devices().empty()) row("Device", plain_text(value) + ", before that " + earlier_devices());
    else row(title, std::string_view(key) == "seconds" && value.is_number() ? duration(value.get<double>()) : plain_text(value));
  }
  for (const auto& [key, value] : run_.state.items()) {
    bool known = key == "versions" || key == "inputs" || key == "earlier_devices" ||
                 std::any_of(std::begin(kKnown), std::end(kKnown), [&](const auto& k) { return key == k.first; });
    if (!known) row(key, plain_text(value));
  }
  body_ += "</table>";
  if (auto it = run_.state.find("versions"); it != run_.state.end() && it->is_object()) {
    body_ += "<h3>Versions</h3><table class=\"facts\">";
    for (const auto& [key, value] : it->items()) row(key, plain_text(value));
    body_ += "</table>";
  }
  if (auto it = run_.state.find("inputs"); it != run_.state.end() && it->is_object()) {
    digests(*it, "input");
  }
  if (run_.evaluation && !run_.evaluation->inputs.empty()) digests(Json(run_.evaluation->inputs), "scored");
  end_section();
}

void Page::digests(const Json& files, const char* what) {
  body_ += fmt::format("<details><summary>Digests of {} {} {} (SHA-256)</summary><table class=\"digests\">", files.size(), what, files.size() == 1 ? "file" : "files");
  for (const auto& [key, value] : files.items()) body_ += "<tr><th scope=\"row\">" + escape(key) + "</th><td>" + escape(plain_text(value)) + "</td></tr>";
  body_ += "</table></details>";
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
  if (run_.recipe.empty()) return;
  section("reproduce", "How to reproduce it");
  std::string split = run_.evaluation && !run_.evaluation->split.empty() ? " --split " + shell_quoted(run_.evaluation->split) : "";
  if (run_.evaluation) {
    if (!run_.evaluation->checkpoint.empty()) split += " --checkpoint " + shell_quoted(run_.evaluation->checkpoint);
    for (const std::string& change : run_.evaluation->overrides) split += " " + shell_quoted(change);
  }
  body_ += "<pre>tenon train " + escape(shell_quoted(run_.path + "/recipe.toml")) + " --run again\ntenon evaluate again" + escape(split) + "</pre>";
  std::string version = state_text(run_, "tenon");
  std::string steps = state_text(run_, "steps");
  const bool stepped = run_.state.is_object() && run_.state.contains("timed") && run_.state["timed"] == false;
  if (!stepped)
    body_ += "<p class=\"soft\">The clock paced this run (train.minutes): another takes another number of steps and ends in other weights. For the same "
             "bits each time, set <code>train.steps" + (steps.empty() ? "" : "=" + escape(steps)) + "</code>.</p>";
  else if (!earlier_devices().empty())
    body_ += "<p class=\"soft\">Parts of this run were computed on " + escape(earlier_devices()) + " before it went on on " + escape(state_text(run_, "device")) +
             ". Devices round differently: a run on one of them ends in other bits.</p>";
  else
    body_ += "<p class=\"soft\">With the same input files" + std::string(run_.state.contains("inputs") ? " (digests above)" : "") +
             (version.empty() ? "" : ", Tenon " + escape(version)) +
             ", the same instruction set and library versions, the weights are the same bit for bit, for any number of threads.</p>";
  end_section();
}

void Page::header() {
  std::string status = state_text(run_, "status");
  bool known = status == "finished" || status == "interrupted" || status == "failed" || status == "running";
  std::string top = "<header><p class=\"eyebrow\">Tenon run report</p><h1>" + escape(run_.name) +
                    fmt::format("<span class=\"status {}\">{}</span></h1><p class=\"lead\">", known ? status : "unknown",
                                escape(status.empty() ? "status unknown" : status));
  auto item = [&](const std::string& text) {
    if (!text.empty()) top += "<span>" + escape(text) + "</span>";
  };
  item(run_.date);
  item(state_text(run_, "model"));
  item(state_text(run_, "device"));
  item(state_text(run_, "precision"));
  if (run_.state.contains("threads")) item(state_text(run_, "threads") + (state_text(run_, "threads") == "1" ? " thread" : " threads"));
  if (run_.state.contains("steps")) item(state_text(run_, "steps") + " steps");
  if (auto it = run_.state.find("seconds"); it != run_.state.end() && it->is_number()) item(duration(it->get<double>()));
  top += "</p><nav aria-label=\"Contents\">" + links_ + "</nav>";
  if (!run_.remarks.empty()) {
    top += "<div class=\"remarks\" role=\"note\">What this report could not show:<ul>";
    for (const std::string& remark : run_.remarks) top += "<li>" + escape(remark) + "</li>";
    top += "</ul></div>";
  }
  body_ = top + "</header>\n<main>\n" + body_ + "</main>\n";
}

std::string Page::head(const std::string& policy) const {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"" +
         policy +
         "\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n"
         "<link rel=\"icon\" href=\"data:,\">\n<title>" +
         escape(run_.name) + " \u2013 Tenon run report</title>\n<style>" + std::string(kStyle) + "</style>\n</head>\n";
}

std::string Page::html() {
  scores();
  charts();
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
  std::string vega = vega_script(), own(kScript);
  std::string policy =
      "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src 'unsafe-inline'; script-src " + digest_of(own);
  if (!vega.empty()) policy += " " + digest_of(vega);
  std::string version = state_text(run_, "tenon");
  body_ += "<footer>One file, nothing is loaded from elsewhere." + (version.empty() ? "" : " Trained by Tenon " + escape(version) + ".") +
           (vega.empty() ? " Charts are static: Vega (package libjs-vega) was not found when the report was written." : "") + "</footer>\n";
  return head(policy) + "<body>\n" + body_ + "<script type=\"application/json\" id=\"charts\">" + script_json(specs_) + "</script>\n" +
         (vega.empty() ? "" : "<script>" + vega + "</script>\n") + "<script>" + own + "</script>\n</body>\n</html>\n";
}

}  // namespace report

std::filesystem::path write_report(const std::filesystem::path& run) {
  std::filesystem::path file = run / "report.html";
  write_atomic(file, report::Page(report::read_run(run)).html());
  return file;
}

}  // namespace tenon

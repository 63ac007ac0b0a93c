#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>

#include "../io/faulty_files.hpp"
#include "../io/temporary_folder.hpp"
#include "sample_run.hpp"
#include "tenon/io/file.hpp"
#include "tenon/run.hpp"

using namespace tenon;
using Catch::Contains;

namespace {

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t n = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) ++n;
  return n;
}

/// The page without scripts, for looking at what a reader sees.
std::string without_scripts(std::string page) {
  for (std::size_t at; (at = page.find("<script")) != std::string::npos;) page.erase(at, page.find("</script>", at) + 9 - at);
  return page;
}

}  // namespace

TEST_CASE("a report shows scores beside baselines, cases, pictures, rules, versions, digests and the recipe", "[report]") {
  TemporaryFolder run("report");
  sample::make_run(run.path);
  auto file = write_report(run.path);
  CHECK(file == run / "report.html");
  std::string page = read_text(file), shown = without_scripts(page);

  auto summary = summarise(sample::evaluation());
  char mean[16], low[16];
  std::snprintf(mean, sizeof mean, "%.3f", summary[0].mean);
  std::snprintf(low, sizeof low, "%.3f", summary[0].low);
  CHECK_THAT(shown, Contains("<p class=\"big\">" + std::string(mean)));
  CHECK_THAT(shown, Contains("95 % interval " + std::string(low)));
  CHECK_THAT(shown, Contains("image-blind atlas") && Contains("0.742") && Contains("computed on this split"));
  CHECK_THAT(shown, Contains("1 of 65 not scored") && Contains("not scored</span>"));
  CHECK(count(shown, "<tr><th scope=\"row\" data-key=") == 65);
  CHECK(count(shown, "data:image/png;base64,iVBORw0KGgo") == 6);
  CHECK_THAT(shown, Contains("Both masks empty"));
  CHECK_THAT(shown, Contains("oneDNN") && Contains("2.6.3") && Contains("peak_memory_bytes"));
  CHECK_THAT(shown, Contains("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
  CHECK_THAT(shown, Contains("<span class=\"default\">batch = 2  # default</span>"));
  CHECK_THAT(shown, Contains("metrics.jsonl: 1 line could not be read"));
  CHECK_THAT(shown, Contains("1 of 900 steps have no finite loss"));
  CHECK(count(shown, "<svg class=\"static\"") == 7);

  write_report(run.path);
  CHECK(read_text(file) == page);
}

TEST_CASE("the command that repeats a run can be pasted into a shell", "[report]") {
  TemporaryFolder parent("reproduce");
  const auto run = parent / "a b'c $(x)";
  files().make_directories(run);
  sample::make_run(run);
  const std::string page = read_text(write_report(run));
  const std::string from = "<pre>tenon train ";
  std::string line = page.substr(page.find(from) + from.size());
  line = line.substr(0, line.find(" --run again"));
  CHECK(line == "&#39;" + parent.path.string() + "/a b&#39;\\&#39;&#39;c $(x)/recipe.toml&#39;");
}

TEST_CASE("pictures say their case once and what their colours mean, curves say how far apart their points are", "[report]") {
  TemporaryFolder run("captions");
  sample::make_run(run.path);
  Evaluation e = sample::evaluation();
  for (auto& c : e.cases)
    for (auto& p : c.pictures) p.caption = c.id + ", Dice 0.9";
  write_evaluation(run.path, e);
  std::string metrics;
  for (int step = 10; step <= 200; step += 10) metrics += "{\"kind\":\"step\",\"step\":" + std::to_string(step) + ",\"loss\":0.5,\"gradient_norm\":1}\n";
  sample::write(run / "metrics.jsonl", metrics);
  const std::string page = without_scripts(read_text(write_report(run.path)));
  CHECK_THAT(page, Contains("<figcaption><b>hippocampus_002</b> \u2013 Dice 0.9</figcaption>"));
  CHECK_THAT(page, Contains("stroke:rgb(213 94 0)") && Contains("</svg>missed</li>"));
  CHECK_THAT(page, Contains("</svg>every 10 steps</li>"));
  CHECK(page.find("each step") == std::string::npos);
}

TEST_CASE("a task's own charts, totals and pictures of the split", "[report]") {
  TemporaryFolder run("skill");
  sample::make_run(run.path);
  Evaluation e = sample::evaluation();
  e.columns.push_back({"AUROC", "", true, false});
  for (auto& c : e.cases) c.values.push_back(NAN);
  for (auto& b : e.baselines) b.values.push_back(0.5);
  e.totals = {{NAN, NAN, NAN}, {NAN, NAN, NAN}, {NAN, NAN, NAN}, {0.913, 0.871, 0.954}};
  e.charts = {{"Skill by lead", "lead (days)", "RMSE (hPa)",
               {{"model", {1, 2, 3}, {4.3, 6.9, 8.1}, {4.1, 6.5, 7.8}, {4.5, 7.2, 8.4}},
                {.name = "persistence <b>", .x = {1, 2, 3}, .y = {6.4, 9.1, 10.3}, .reference = true},
                {.name = "cases", .x = {1, 2, 3}, .y = {1, 2, 3}, .kind = Curve::Kind::bars},
                {.name = "seen", .x = {1, 2, 3}, .y = {5, NAN, 7}, .kind = Curve::Kind::points}},
               "Bands: 95 % block bootstrap."}};
  e.pictures = {{"RMSE on the map", sample::panels(3)}};
  e.checkpoint = "best";
  e.overrides = {"data.root=/else where"};
  e.inputs = {{"scan.nii", "00ff"}};
  write_evaluation(run.path, e);
  const std::string page = without_scripts(read_text(write_report(run.path)));
  CHECK_THAT(page, Contains("<h2>Skill</h2>") && Contains("Skill by lead") && Contains("RMSE (hPa)") && Contains("Bands: 95 % block bootstrap."));
  CHECK_THAT(page, Contains("persistence &lt;b&gt;") && Contains("<figcaption>RMSE on the map</figcaption>"));
  CHECK_THAT(page, Contains("<p class=\"big\">0.913") && Contains("95 % interval 0.871 to 0.954"));
  CHECK_THAT(page, Contains("Scores of all cases together where the rules"));
  CHECK(page.find("65 of 65 not scored") == std::string::npos);
  CHECK(page.find("<button>AUROC</button>") == std::string::npos);  // no case has a value of it
  CHECK_THAT(page, Contains("evaluated with <code>data.root=/else where</code>") && Contains("--checkpoint best &#39;data.root=/else where&#39;") && Contains("00ff"));
  CHECK(count(page, "<rect x=") == 4);  // three bars and the key
}

TEST_CASE("points of a chart are drawn where they were measured, however many and in whatever order", "[report]") {
  TemporaryFolder run("scatter");
  sample::make_run(run.path);
  Evaluation e = sample::evaluation();
  Curve seen{.name = "seen", .x = {}, .y = {}, .kind = Curve::Kind::points};
  for (int i = 0; i < 300; ++i) seen.x.push_back(i % 2 ? 100 : 0), seen.y.push_back(i % 2 ? 1000 : 0);
  e.charts = {{"Scatter", "x", "y", {seen}}};
  write_evaluation(run.path, e);
  const std::string page = read_text(write_report(run.path));
  CHECK(page.find("seen: 0 at 0") != std::string::npos);
  CHECK(page.find("seen: 500 at 50") == std::string::npos);  // the mean of two
}

TEST_CASE("one page links several runs, scores beside baselines", "[report]") {
  TemporaryFolder parent("summary");
  const std::vector<std::filesystem::path> runs{parent / "a run & more", parent / "second"};
  for (const auto& run : runs) {
    files().make_directories(run);
    sample::make_run(run);
  }
  const auto file = write_summary(runs, parent / "summary.html");
  const std::string page = read_text(file);
  CHECK_THAT(page, Contains("href=\"a%20run%20%26%20more/report.html\"") && Contains("href=\"second/report.html\""));
  CHECK(count(page, "class=\"run\"") == 2);
  CHECK_THAT(page, Contains("Dice anterior") && Contains("image-blind atlas") && Contains("class=\"better\""));
  CHECK(count(page, "data:image/png;base64,iVBORw0KGgo") == 2);
  CHECK(page.find("<script") == std::string::npos);
  CHECK(code_of([&] { write_summary({parent / "nothing"}, parent / "x.html"); }) == "run.not_found");
  CHECK_FALSE(std::filesystem::exists(parent / "x.html"));
}

TEST_CASE("a card says which way is better, or what value", "[report]") {
  TemporaryFolder run("ideal");
  Evaluation e;
  e.columns = {{"loss", "", false}, {"exceedances", "%", false, true, 5}};
  e.cases = {{"2003", {1.0, 4.5}, {}}, {"2004", {2.0, 5.1}, {}}};
  e.baselines = {{"too many", {3.0, 5.7}, ""}, {"too few", {1.0, 3.0}, ""}};
  write_evaluation(run.path, e);
  const std::string page = read_text(write_report(run.path));
  CHECK_THAT(page, Contains("lower is better") && Contains("nearer to 5 is better"));
  CHECK(count(page, "class=\"better\"") == 3);  // both baselines are further from 5, one has the greater loss
  CHECK(count(page, "class=\"worse\"") == 1);
}

TEST_CASE("rows of a report begin with the worst case", "[report]") {
  TemporaryFolder run("worst");
  Evaluation e;
  e.columns = {{"a", "", true}, {"b", "", true}};
  e.cases = {{"good", {0.9, 0.9}, {}}, {"unscored", {NAN, NAN}, {}}, {"bad", {0.2, 0.4}, {}}, {"half", {0.5, NAN}, {}}};
  write_evaluation(run.path, e);
  std::string page = read_text(write_report(run.path));
  auto at = [&](const std::string& id) { return page.find("data-key=\"" + id + "\""); };
  CHECK(at("bad") < at("half"));
  CHECK(at("half") < at("good"));
  CHECK(at("good") < at("unscored"));
}

TEST_CASE("nothing in a run can become markup or script of its report", "[report]") {
  TemporaryFolder run("hostile");
  sample::make_run(run.path);
  Evaluation e = sample::evaluation();
  const std::string evil = sample::kHostile;
  e.split = e.columns[0].name = e.columns[0].unit = e.baselines[0].name = e.baselines[0].source = e.notes[0] = evil;
  for (auto& c : e.cases)
    for (auto& p : c.pictures) p.caption = evil + "\x01\xff\xe2\x80\xa8";
  write_evaluation(run.path, e);
  sample::write(run / "recipe.toml", "name = '''" + evil + "'''\n# " + evil + "\n");
  append_line(run / "metrics.jsonl",
              R"({"kind":"validation","step":901,"columns":["</script><script>window.hacked=1</script>"],"mean":[1]})");
  std::string page = read_text(write_report(run.path));
  CHECK(page.find("<script>window.hacked") == std::string::npos);
  CHECK(page.find("<img src=x") == std::string::npos);
  CHECK(page.find('\xff') == std::string::npos);
  CHECK(count(page, "<script") == count(page, "</script>"));
  CHECK(count(page, "<script") <= 3);
}

TEST_CASE("a report loads nothing and its policy forbids it", "[report]") {
  TemporaryFolder run("policy");
  sample::make_run(run.path);
  std::string page = read_text(write_report(run.path)), shown = without_scripts(page);
  CHECK_THAT(page, Contains("default-src 'none'") && Contains("script-src 'sha256-"));
  CHECK(page.find("unsafe-eval") == std::string::npos);
  CHECK(shown.find("http://") == std::string::npos);
  CHECK(shown.find("https://") == std::string::npos);
  CHECK(shown.find("url(") == std::string::npos);
  CHECK(page.find("sourceMappingURL") == std::string::npos);
}

TEST_CASE("what a run directory lacks is said, not invented", "[report]") {
  TemporaryFolder run("bare");
  std::string page = read_text(write_report(run.path));
  for (const char* part : {"recipe.toml is not there", "state.json is not there", "metrics.jsonl is not there",
                           "evaluation.json is not there", "status unknown", "No evaluation is recorded", "No training step is recorded"})
    CHECK_THAT(page, Contains(part));
  sample::write(run / "state.json", "[1]");
  sample::write(run / "evaluation.json", "{");
  sample::write(run / "recipe.toml", "name = \n");
  sample::write(run / "metrics.jsonl",
                "[]\n{\"kind\":\"step\"}\n{\"kind\":\"step\",\"step\":1,\"loss\":0.5}\n{\"kind\":\"validation\",\"step\":1,\"columns\":[1],"
                "\"mean\":[]}\n");
  page = read_text(write_report(run.path));
  for (const char* part : {"state.json is no JSON object", "evaluation.json was left out", "recipe.toml is no valid TOML",
                           "metrics.jsonl: 3 lines could not be read"})
    CHECK_THAT(page, Contains(part));
  CHECK(code_of([&] { write_report(run / "absent"); }) == "run.not_found");
}

TEST_CASE("pictures that are gone are counted", "[report]") {
  TemporaryFolder run("gone");
  sample::make_run(run.path);
  files().remove(run / "pictures/hippocampus_002.png");
  sample::write(run / "pictures/hippocampus_024.png", "GIF89a");
  CHECK_THAT(read_text(write_report(run.path)), Contains("2 pictures named in evaluation.json are not there or no PNG"));
}

TEST_CASE("one step and one validation are enough for curves", "[report]") {
  TemporaryFolder run("single");
  sample::write(run / "metrics.jsonl",
                "{\"kind\":\"step\",\"step\":1,\"loss\":0.5}\n{\"kind\":\"validation\",\"step\":1,\"columns\":[\"m\"],\"mean\":[0.5],"
                "\"score\":0.5}\n");
  std::string page = read_text(write_report(run.path));
  CHECK(count(page, "<svg class=\"static\"") == 2);
  for (const char* broken : {"nan", "inf"})
    for (const char* end : {"\"", " ", "L", "M", "<"})
      CHECK(page.find(std::string(broken) + end, page.find("<svg class=\"static\"")) == std::string::npos);
}

TEST_CASE("a disk that is full leaves the earlier report", "[report]") {
  TemporaryFolder run("full-report");
  write_report(run.path);
  std::string before = read_text(run / "report.html");
  sample::write(run / "recipe.toml", "name = \"other\"\n");
  {
    FaultyFiles faulty(1);
    CHECK(code_of([&] { write_report(run.path); }) == "io.no_space");
  }
  CHECK(read_text(run / "report.html") == before);
}

TEST_CASE("the report works in a browser, with Vega and without", "[report][browser][slow]") {
  for (bool with_vega : {true, false}) {
    TemporaryFolder run("browser");
    sample::make_run(run.path);
    write_report(run.path);
    std::string mode = "live";
    if (!with_vega) {
      std::string page = read_text(run / "report.html");
      std::size_t start = page.find("<script>(function(){\nconst modules");
      if (start == std::string::npos) continue;
      page.erase(start, page.find("</script>", start) + 9 - start);
      write_atomic(run / "report.html", page);
      mode = "static";
    } else if (read_text(run / "report.html").find("const modules") == std::string::npos) {
      WARN("skipped: Vega (libjs-vega) is not installed");
      continue;
    }
    std::string command = "bash '" TENON_SOURCE_DIR "/tests/report/check_report.sh' '" + (run / "report.html").string() + "' " + mode;
    int status = std::system(command.c_str());
    if (status == 77 << 8) {
      WARN("skipped: chromium is not installed");
      return;
    }
    INFO(command);
    CHECK(status == 0);
  }
}

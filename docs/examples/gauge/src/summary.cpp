/// A tool over many files: `tenon gauge summary FILE...`
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "gauge.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"

namespace gauge_plugin {
namespace {

using namespace tenon;

nlohmann::ordered_json summary_of(const std::string& file, bool flow) {
  const FormatEntry& format = PluginHost::instance().format_of(file);  // whatever the host can read
  const Tensor values = format.read(file, ParamValues(format.params)).values.to(DType::f32).contiguous();
  if (values.rank() != 2 || values.size(1) != 2)
    throw Error(ErrorKind::data, "gauge.series", "it holds " + values.shape().str() + ", a series is [time, 2]", "is it a gauge's series?",
                file);
  double least = INFINITY, most = -INFINITY, sum = 0;
  std::int64_t known = 0;
  for (std::int64_t i = flow ? 1 : 0; i < values.numel(); i += 2) {
    const auto v = static_cast<double>(values.span<float>()[static_cast<std::size_t>(i)]);
    if (std::isnan(v)) continue;
    least = std::min(least, v), most = std::max(most, v), sum += v, ++known;
  }
  nlohmann::ordered_json out{{"file", file}, {"records", values.size(0)}, {"known", known}};
  if (known > 0) out.update({{"least", least}, {"mean", sum / static_cast<double>(known)}, {"most", most}});
  return out;
}

int run_summary(const std::vector<std::string>& inputs, const ParamValues& values, ToolContext& context) {
  if (inputs.empty()) throw Error(ErrorKind::usage, "gauge.inputs", "no file is given", "name one or more series");
  auto list = nlohmann::ordered_json::array();
  std::string failures;
  std::size_t failed = 0;
  for (std::size_t i = 0; i < inputs.size() && !context.interrupted(); ++i) {  // Ctrl-C: what is done is told
    context.progress(static_cast<std::int64_t>(i), static_cast<std::int64_t>(inputs.size()));
    try {
      list.push_back(summary_of(inputs[i], values.text("quantity") == "flow"));
    } catch (const Error& e) {  // a bad file does not cost the others their results
      if (e.kind() != ErrorKind::data || inputs.size() == 1) throw;
      failures += "\n  " + inputs[i] + ": " + e.message() + " [" + e.code() + "]";
      ++failed;
    }
  }
  if (context.json()) {
    context.print(json_text(list));  // file names may hold bytes that are no UTF-8
  } else {
    for (const auto& s : list) {
      std::string line = s["file"].get<std::string>() + ": " + std::to_string(s["known"].get<std::int64_t>()) + " of " +
                         std::to_string(s["records"].get<std::int64_t>()) + " records known";
      if (s.contains("mean"))
        line += ", mean " + std::to_string(s["mean"].get<double>()) + " (" + std::to_string(s["least"].get<double>()) + " to " +
                std::to_string(s["most"].get<double>()) + ")";
      context.print(line);
    }
  }
  if (failed == 0) return 0;
  throw Error(ErrorKind::batch, "gauge.some_failed", std::to_string(failed) + " of " + std::to_string(inputs.size()) + " files:" + failures,
              "mend or leave out the files listed");
}

}  // namespace

ToolEntry summary_tool() {
  ToolEntry entry;
  entry.name = "summary";
  entry.help = "Least, mean and greatest level or flow of series";
  entry.arguments = "FILE...";
  entry.params = {text_param("quantity", "level", "what to summarise", {"level", "flow"})};
  entry.run = run_summary;
  return entry;
}

}  // namespace gauge_plugin

/// tenon driving simulate -o street.bin: a street as the task makes them, as a file.
#include <array>
#include <filesystem>
#include <string>

#include "classes.hpp"
#include "cloud.hpp"
#include "scene.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/plugin.hpp"

namespace driving_plugin {
namespace {

using namespace tenon;
namespace fs = std::filesystem;

constexpr std::uint64_t kStream = 2;  // none that the task uses under a seed of its own

int run_simulate(const std::vector<std::string>&, const ParamValues& values, ToolContext& context) {
  static constexpr const char* kUsage = "driving.simulate";
  const fs::path output = values.text("output");
  if (output.extension() != ".bin")
    throw Error(ErrorKind::usage, kUsage, "point clouds end in .bin", "name it street.bin", output.string());
  if (!values.boolean("overwrite") && file_exists(output))
    throw Error(ErrorKind::usage, kUsage, "the file is there already", "say --overwrite, or another name", output.string());
  const Scene scene = simulate(scanner_of(values), Random(static_cast<std::uint64_t>(values.integer("seed")), kStream));
  write_cloud(output, scene.points);

  std::array<std::int64_t, kClasses> points{};
  for (const std::uint8_t c : scene.classes) ++points[c];
  std::string text =
      context.json() ? "{\"points\": " + std::to_string(scene.points.size()) : std::to_string(scene.points.size()) + " points";
  for (std::size_t k = 0; k < kClasses; ++k) {
    if (context.json())
      text += std::string(", \"") + kClassNames[k] + "\": " + std::to_string(points[k]);
    else
      text += (k == 0 ? ": " : ", ") + std::string(kClassNames[k]) + " " + std::to_string(points[k]);
  }
  context.print(text + (context.json() ? "}" : ""));
  return 0;
}

}  // namespace

ToolEntry simulate_tool() {
  ToolEntry entry;
  entry.name = "simulate";
  entry.help = "Writes the point cloud that a LiDAR has of a made street";
  entry.params = {path_param("output", "", "file to write, .bin", true), integer_param("seed", 1, "which street", 0, 9007199254740992.0),
                  boolean_param("overwrite", false, "replace the file")};
  for (Param& p : scanner_params()) entry.params.add(std::move(p));
  entry.run = run_simulate;
  return entry;
}

}  // namespace driving_plugin

/// tenon driving voxelise CLOUD.bin... -o FOLDER: clouds as pillars on a grid seen from above, for other programs.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cloud.hpp"
#include "grid.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/npz.hpp"
#include "tenon/io/utf8.hpp"
#include "tenon/plugin.hpp"

namespace driving_plugin {
namespace {

using namespace tenon;
namespace fs = std::filesystem;

constexpr const char* kUsage = "driving.voxelise";

/// pillars [M, P, 4] f32 (zeros after the points that are there), counts [M] i64 (points before P was looked at), cells [M, 2] i64 (ix, iy)
/// and what the cells mean: from [2] f64, the corner of cell (0, 0) in m, and size [1] f64, m.
void save_pillars(const fs::path& file, const Grid& grid, const std::vector<Point>& points, const Pillars& pillars) {
  const auto count = static_cast<std::int64_t>(pillars.cells.size());
  std::vector<float> values(static_cast<std::size_t>(count * grid.max_points * 4));
  std::vector<std::int64_t> places;
  for (std::size_t m = 0; m < pillars.cells.size(); ++m) {
    auto to = values.begin() + static_cast<std::ptrdiff_t>(m) * grid.max_points * 4;
    for (std::int64_t k = pillars.starts[m]; k < pillars.starts[m + 1]; ++k) {
      const Point& p = points[static_cast<std::size_t>(pillars.kept[static_cast<std::size_t>(k)])];
      for (const float v : {p.x, p.y, p.z, p.reflectance}) *to++ = v;
    }
    places.push_back(pillars.cells[m] / grid.ny);
    places.push_back(pillars.cells[m] % grid.ny);
  }
  save_npz(file, {{"pillars", Tensor::from(values, Shape{count, grid.max_points, 4})},
                  {"counts", Tensor::from(pillars.counts, Shape{count})},
                  {"cells", Tensor::from(places, Shape{count, 2})},
                  {"from", Tensor::from(std::vector<double>{grid.x[0], grid.y[0]}, Shape{2})},
                  {"size", Tensor::from(std::vector<double>{grid.size}, Shape{1})}});
}

std::string told(const fs::path& input, const Pillars& pillars, const Grid& grid, bool json) {
  const std::size_t all = pillars.kept.size() + static_cast<std::size_t>(pillars.outside + pillars.overfull);
  const std::string occupied = std::to_string(pillars.cells.size()), cells = std::to_string(grid.cells());
  if (json) {
    return "{\"file\": " + json_string(input.string()) + ", \"points\": " + std::to_string(all) +
           ", \"kept\": " + std::to_string(pillars.kept.size()) + ", \"outside\": " + std::to_string(pillars.outside) +
           ", \"overfull\": " + std::to_string(pillars.overfull) + ", \"occupied\": " + occupied + ", \"cells\": " + cells + "}";
  }
  return input.filename().string() + ": " + std::to_string(all) + " points, " + std::to_string(pillars.kept.size()) + " kept, " +
         std::to_string(pillars.outside) + " outside the range, " + std::to_string(pillars.overfull) + " beyond " +
         std::to_string(grid.max_points) + " a pillar; " + occupied + " of " + cells + " pillars occupied";
}

int run_voxelise(const std::vector<std::string>& inputs, const ParamValues& values, ToolContext& context) {
  if (inputs.empty()) throw Error(ErrorKind::usage, kUsage, "no file is given", "name one or more point clouds, .bin");
  const Grid grid = grid_of(values, "--");
  const fs::path folder = values.text("output");
  // What cannot be written is found before anything is read.
  std::vector<fs::path> outputs;
  for (const std::string& input : inputs) {
    const fs::path output = folder / (fs::path(input).stem().string() + "_pillars.npz");
    if (std::find(outputs.begin(), outputs.end(), output) != outputs.end())
      throw Error(ErrorKind::usage, kUsage, "two inputs would be written to it", "use two folders", output.string());
    if (!values.boolean("overwrite") && file_exists(output))
      throw Error(ErrorKind::usage, kUsage, "the result is there already", "say --overwrite, or another folder", output.string());
    outputs.push_back(output);
  }
  std::string list, failures;
  std::size_t failed = 0;
  for (std::size_t i = 0; i < inputs.size() && !context.interrupted(); ++i) {
    context.progress(static_cast<std::int64_t>(i), static_cast<std::int64_t>(inputs.size()));
    try {
      const std::vector<Point> points = read_cloud(inputs[i]);
      const Pillars pillars = voxelise(grid, points);
      files().make_directories(folder);
      save_pillars(outputs[i], grid, points, pillars);
      list += (list.empty() ? "" : context.json() ? ", " : "\n") + told(inputs[i], pillars, grid, context.json());
    } catch (const Error& e) {
      // A bad file must not cost the good ones their results; a full disk would only fail again.
      if (e.kind() != ErrorKind::data || inputs.size() == 1) throw;
      failures += "\n  " + inputs[i] + ": " + e.message() + " [" + e.code() + "]";
      ++failed;
    }
  }
  if (context.json() || !list.empty()) context.print(context.json() ? "[" + list + "]" : list);
  if (failed == 0) return 0;
  throw Error(ErrorKind::batch, "driving.some_failed",
              std::to_string(failed) + " of " + std::to_string(inputs.size()) + " clouds:" + failures,
              "mend or leave out the files listed; the others are in " + folder.string());
}

}  // namespace

ToolEntry voxelise_tool() {
  ToolEntry entry;
  entry.name = "voxelise";
  entry.help = "Gathers the points of clouds into pillars on a grid seen from above";
  entry.arguments = "CLOUD.bin...";
  entry.params = {path_param("output", "", "folder for NAME_pillars.npz", true), boolean_param("overwrite", false, "replace results")};
  for (Param& p : grid_params()) entry.params.add(std::move(p));
  entry.run = run_voxelise;
  return entry;
}

}  // namespace driving_plugin

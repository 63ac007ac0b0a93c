#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include <fmt/format.h>

#include "medical/tasks/segmentation.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::medical {
namespace fs = std::filesystem;
namespace {

constexpr double kGeometryTolerance = 1e-3;  // mm at the corners, input against what was written

struct Item {
  std::vector<fs::path> inputs;  ///< one a channel
  fs::path output;
};

bool same_file(const fs::path& a, const fs::path& b) {
  std::error_code failed;
  return fs::equivalent(a, b, failed) && !failed;
}

/// A folder has no extension: the dots in one named by its UID are part of the name.
const std::vector<std::string> kWholeName{""};

/// A folder's last component, also of "scans/" and ".".
std::string folder_name(const fs::path& folder) {
  const fs::path whole = fs::absolute(folder).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

/// Refuses before any work what could overwrite something: the user's scans, an earlier result, each other.
std::vector<Item> plan_outputs(const std::vector<fs::path>& inputs, const PredictOptions& options, std::int64_t channels,
                               const std::vector<std::string>& extensions) {
  std::vector<Item> items;
  std::map<fs::path, fs::path> taken;
  for (const auto& input : inputs) {
    const auto info = tenon::files().stat(input);
    const bool is_folder = info && info->is_directory;
    const fs::path scan = is_folder && !input.has_filename() ? input.parent_path() : input;  // without a slash at its end
    Item item{channel_files(scan, channels, is_folder ? kWholeName : extensions), {}};
    std::string stem = is_folder ? folder_name(scan) : stem_of(scan, extensions);
    if (channels > 1) stem.resize(stem.size() - 5);  // "_0000"
    if (stem.empty()) throw_usage("predict", "no name for the result of '" + input.string() + "'", "give the scan's file or folder by its name");
    item.output = options.output / (stem + ".nii.gz");
    if (const auto [at, fresh] = taken.emplace(item.output, input); !fresh)
      throw Error(ErrorKind::usage, "predict.same_name",
                  "two inputs would be written to " + item.output.string() + ": " + at->second.string() + " and " + input.string(),
                  "predict them into different folders");
    for (const auto& other : inputs)
      if (same_file(other, item.output))
        throw Error(ErrorKind::usage, "predict.over_input", "the result would replace an input", "choose another output folder",
                    item.output.string());
    if (file_exists(item.output)) {
      if (!options.overwrite)
        throw Error(ErrorKind::usage, "predict.exists", "the result is there already", "choose another output folder, or say --overwrite",
                    item.output.string());
      if (!is_written_labels(item.output))
        throw Error(ErrorKind::usage, "predict.not_a_prediction", "the result would replace a file that is no prediction of Tenon's",
                    "choose another output folder, or take the file away", item.output.string());
    }
    items.push_back(std::move(item));
  }
  return items;
}

/// Writes a result and reads its place back; one that lies elsewhere is not kept.
void write_checked(const fs::path& output, const Tensor& labels, const Volume& like) {
  write_labels(output, labels, like);
  std::string wrong;
  try {
    if (const auto difference = describe_difference(like.geometry, read_geometry(output), kGeometryTolerance); !difference.empty())
      wrong = "the result does not lie where its input does: " + difference;
  } catch (const Error& e) {
    wrong = "the result cannot be read back: " + e.message();
  }
  if (wrong.empty()) return;
  tenon::files().remove(output);
  throw Error(ErrorKind::internal, "predict.geometry", wrong, "report this with the input's header", output.string());
}

/// Voxels of another order of size than training's come of wrong units, and the scan on training's voxels would be huge or next to nothing.
void require_like_training(const Volume& scan, const ModelSpace& space, const fs::path& file) {
  constexpr double kFarthest = 32;
  const auto spacing = reorient(scan.geometry, orientation_to(scan.geometry, space.orientation)).spacing();
  for (std::size_t a = 0; a < 3; ++a) {
    const double ratio = spacing[a] / space.spacing[a];
    if (ratio > kFarthest || ratio < 1 / kFarthest)
      throw Error(ErrorKind::data, "medical.foreign_spacing",
                  fmt::format("voxels of {:.6g} x {:.6g} x {:.6g} mm, training had {:.6g} x {:.6g} x {:.6g}", spacing[0], spacing[1], spacing[2], space.spacing[0],
                              space.spacing[1], space.spacing[2]),
                  "mend the header's spacing or its unit (xyzt_units), or resample the scan", file.string());
  }
}

}  // namespace

std::vector<fs::path> SegmentationTask::predict(nn::Module& model, const std::vector<fs::path>& inputs, const PredictOptions& options) {
  if (!ready_) throw_usage("SegmentationTask::predict", "neither trained nor told what training saw");
  const auto items = plan_outputs(inputs, options, channels_, extensions_);
  std::vector<fs::path> written;
  std::vector<Error> failures;
  WindowPlans plans;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (options.monitor.interrupted && options.monitor.interrupted()) break;
    if (options.monitor.progress) options.monitor.progress("predicting", std::int64_t(i), std::int64_t(items.size()));
    const Item& item = items[i];
    try {
      std::vector<Volume> volumes;
      for (const auto& file : item.inputs) {
        volumes.push_back(read_volume(file));
        const auto values = volumes.back().values.contiguous();
        float low = std::numeric_limits<float>::infinity(), high = -low;
        for (float v : values.span<float>()) {
          if (!std::isfinite(v))
            throw Error(ErrorKind::data, "medical.not_finite", "a voxel is NaN, infinite or beyond float32", "replace it first", file.string());
          low = std::min(low, v);
          high = std::max(high, v);
        }
        if (low == high) volumes.back().warn("every voxel is " + std::to_string(low) + ": the scan is empty");
        if (const auto warning = volumes.back().warning_line(file); !warning.empty()) options.monitor.warn(warning);
        if (const auto difference = describe_difference(volumes.front().geometry, volumes.back().geometry); !difference.empty())
          throw Error(ErrorKind::data, "medical.geometry", "channels lie differently: " + difference, "resample them to one grid",
                      file.string());
      }
      const Volume& like = volumes.front();
      require_like_training(like, space_, item.inputs.front());
      const SpacePath path = path_to(like.geometry, space_);
      const auto [nz, ny, nx] = path.size;
      const Tensor image = Tensor::empty(Shape{channels_, nz, ny, nx});
      for (std::int64_t c = 0; c < channels_; ++c) {
        const Tensor plane =
            image_to_model(normalisation_.apply(volumes[std::size_t(c)].values.contiguous(), std::size_t(c)), path).contiguous();
        std::memcpy(image.data<float>() + c * nz * ny * nx, plane.data<float>(), plane.nbytes());
      }
      Tensor labels;
      run_windows(
          model, window_, {path.size}, [&](std::size_t) { return image; },
          [&](std::size_t, const Tensor& scores) { labels = labels_from_scores(scores, path); }, {}, plans);
      tenon::files().make_directories(options.output);
      write_checked(item.output, labels.contiguous(), like);
      written.push_back(item.output);
    } catch (const Error& e) {
      // Bad files must not cost the good ones their results; a full disk or a lost device would only fail again.
      if (e.kind() != ErrorKind::data || items.size() == 1) throw;
      failures.push_back(e.at(item.inputs.front().string()));
    }
  }
  if (options.monitor.progress) options.monitor.progress("predicting", std::int64_t(items.size()), std::int64_t(items.size()));
  if (!failures.empty()) {
    std::string list;
    for (const auto& e : failures) list += "\n  " + e.where() + ": " + e.message() + " [" + e.code() + "]";
    throw Error(ErrorKind::batch, "predict.some_failed",
                std::to_string(failures.size()) + " of " + std::to_string(items.size()) + " inputs could not be predicted:" + list,
                std::to_string(written.size()) + " results are in " + options.output.string() + "; mend or leave out the files listed");
  }
  return written;
}

}  // namespace tenon::medical

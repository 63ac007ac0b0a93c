#include "medical/tasks/dataset.hpp"

#include <algorithm>
#include <cstring>
#include <set>

#include "medical/tasks/dataset_pass.hpp"
#include "tenon/catalogue.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/sha256.hpp"
#include "tenon/kernel.hpp"

namespace tenon::medical {
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kForegroundSamples = 20000;  // voxels a case that the "ct" statistics look at

bool has_extension(const std::string& name, const std::string& extension) {
  return name.size() > extension.size() && name.ends_with(extension);
}

/// "_0000": how nnU-Net names the channels of a case.
std::string channel_suffix(std::int64_t channel) {
  const std::string digits = std::to_string(channel);
  return std::string("_").append(digits.size() < 4 ? 4 - digits.size() : 0, '0').append(digits);
}

}  // namespace

const ParamSpec& data_params() {
  static const ParamSpec spec{
      path_param("root", "", "folder of the data set, or data:NAME for one of `tenon data list`", true),
      text_param("images", "imagesTr", "folder of the scans, below root"),
      text_param("labels", "labelsTr", "folder of the label images, below root"),
      text_param("folds", "folds.json",
                 "split file below root (JSON: fold_0, fold_1... or train, validation); empty: drawn by a fixed seed"),
      integer_param("fold", 0, "the fold that validates", 0, 999),
      integer_param("fold_count", 5, "number of folds when they are drawn", 2, 100),
      texts_param("label_names", {}, "names of the label values 0, 1, 2...; the first is the background"),
      integer_param("channels", 1, "channels of a scan; more than one: files NAME_0000, NAME_0001...", 1, 16),
      texts_param("extensions", {".nii.gz", ".nii", ".nrrd", ".mha", ".mhd"}, "file extensions; a case has one file"),
      text_param("normalisation", "zscore",
                 "grey values: each scan to mean 0 and deviation 1, or CT windowing by the training set's foreground",
                 {"zscore", "ct", "none"}),
      real_param("foreign_factor", 3, "refuse a case whose size or spacing differs from the median by this factor along an axis; 0: never",
                 0, 1000),
      boolean_param("allow_leak", false, "accept the same scan in training and validation"),
      boolean_param("allow_empty", false, "accept cases without any foreground"),
      boolean_param("shuffle_labels", false,
                    "train each patch on labels of another case, placed and turned for themselves: a run that must fall to the floor"),
  };
  return spec;
}

DataSettings data_settings(const ParamValues& v, const fs::path& recipe_directory) {
  DataSettings s;
  const std::string& root = v.text("root");
  if (root.empty())
    throw Error(ErrorKind::usage, "medical.no_root", "the recipe names no data", "set data.root to a folder or to data:NAME", "data.root");
  s.root = is_data_path(root) ? resolve_data_path(root) : fs::path(root).is_absolute() ? fs::path(root) : recipe_directory / root;
  s.images = v.text("images");
  s.labels = v.text("labels");
  s.folds = v.text("folds");
  s.fold = v.integer("fold");
  s.fold_count = v.integer("fold_count");
  s.label_names = v.texts("label_names");
  s.channels = v.integer("channels");
  s.extensions = v.texts("extensions");
  s.normalisation = v.text("normalisation");
  s.foreign_factor = v.real("foreign_factor");
  s.allow_leak = v.boolean("allow_leak");
  s.allow_empty = v.boolean("allow_empty");
  if (s.label_names.size() < 2 || s.label_names.size() > 255)
    throw Error(ErrorKind::usage, "medical.label_names", std::to_string(s.label_names.size()) + " label names",
                "name the background and each label, e.g. label_names = [\"background\", \"tumour\"]", "data.label_names");
  if (s.foreign_factor != 0 && s.foreign_factor <= 1)
    throw Error(ErrorKind::usage, "medical.foreign_factor", "data.foreign_factor must be above 1, or 0 for none", "3 is usual", "data.foreign_factor");
  return s;
}

std::vector<Error> absent_below_root(const DataSettings& s) {
  const auto is_folder = [](const fs::path& path) {
    try {
      const auto info = tenon::files().stat(path);
      return info && info->is_directory;
    } catch (const Error&) {
      return false;
    }
  };
  if (!is_folder(s.root))
    return {Error(ErrorKind::usage, "recipe.missing_file", "data.root: no folder " + s.root.string(), "give data.root=PATH", "data.root")};
  std::vector<Error> absent;
  const auto require = [&](const std::string& key, const std::string& name, bool folder) {
    const fs::path path = s.root / name;
    try {
      const auto info = tenon::files().stat(path);
      if (info && info->is_directory == folder) return;
    } catch (const Error& e) {  // a link to itself, a name that is too long
      absent.emplace_back(ErrorKind::usage, e.code(), key + ": " + e.message(), e.hint(), key);
      return;
    }
    std::vector<std::string> there;
    if (is_folder(path.parent_path()))
      for (const fs::path& entry : tenon::files().list(path.parent_path()))
        if (is_folder(entry) == folder) there.push_back(entry.filename().string());
    absent.emplace_back(ErrorKind::usage, "recipe.missing_file",
                        key + ": no " + (folder ? "folder '" : "file '") + name + "' in " + s.root.string(),
                        suggestion(path.filename().string(), there), key);
  };
  require("data.images", s.images, true);
  require("data.labels", s.labels, true);
  if (!s.folds.empty()) require("data.folds", s.folds, false);
  return absent;
}

void require_below_root(const DataSettings& s) {
  if (const auto absent = absent_below_root(s); !absent.empty()) throw absent.front();
  try {
    Dataset(s).current_split();
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::usage) throw;  // a split file that is broken is bad data: load() and check() tell it
  }
}

Tensor NormalisationRule::apply(const Tensor& image, std::size_t channel) const {
  if (name == "none") return image;
  if (name == "ct") return normalise(image, fixed.at(channel));
  return normalise(image, z_score(image));
}

Dataset::Dataset(DataSettings settings) : settings_(std::move(settings)) {
  normalisation_.name = settings_.normalisation;
}

std::vector<std::string> Dataset::ids_in(const std::string& folder, bool images) const {
  std::set<std::string> ids;
  for (const fs::path& file : tenon::files().list(settings_.root / folder)) {
    std::string name = file.filename().string();
    if (name.starts_with(".")) continue;
    for (const auto& extension : settings_.extensions)
      if (has_extension(name, extension)) {
        std::string id = name.substr(0, name.size() - extension.size());
        if (images && settings_.channels > 1) {
          const std::string suffix = channel_suffix(0);
          if (!id.ends_with(suffix)) break;
          id.resize(id.size() - suffix.size());
        }
        ids.insert(std::move(id));
        break;
      }
  }
  return {ids.begin(), ids.end()};
}

Split Dataset::current_split() const {
  if (!settings_.folds.empty()) return read_split(settings_.root / settings_.folds, settings_.fold);
  return draw_split(ids_in(settings_.images, true), settings_.fold, settings_.fold_count);
}

bool Dataset::has_split(const std::string& name) const {
  const Split split = current_split();
  const auto found = split.find(name);
  return found != split.end() && !found->second.empty();
}

CaseFiles Dataset::find(const std::string& id) const {
  CaseFiles files{id, std::vector<fs::path>(std::size_t(settings_.channels)), {}, {}};
  auto only = [&](const std::string& folder, const std::string& stem) {
    fs::path found, refused;  // a link to itself, a name that is too long: reading it tells what is wrong
    for (const auto& extension : settings_.extensions) {
      fs::path path = settings_.root / folder / (stem + extension);
      if (path == found) continue;
      try {
        if (!file_exists(path)) continue;
      } catch (const Error&) {
        if (refused.empty()) refused = std::move(path);
        continue;
      }
      if (!found.empty())
        files.doubled.emplace_back(found, path);
      else
        found = std::move(path);
    }
    return found.empty() ? refused : found;
  };
  for (std::int64_t c = 0; c < settings_.channels; ++c)
    files.images[std::size_t(c)] = only(settings_.images, settings_.channels > 1 ? id + channel_suffix(c) : id);
  files.label = only(settings_.labels, id);
  return files;
}

void Dataset::choose_normalisation(const Pass& pass) {
  normalisation_.fixed.clear();
  if (normalisation_.name != "ct") return;
  for (std::size_t c = 0; c < std::size_t(settings_.channels); ++c) {
    std::vector<float> values;
    for (const auto& f : pass.parts.at("train")) {
      const auto image = f.images[c].span<float>();
      const auto label = f.label.span<std::uint8_t>();
      std::int64_t inside = 0, seen = 0;
      for (std::uint8_t v : label) inside += v > 0;
      const std::int64_t stride = std::max<std::int64_t>(1, inside / kForegroundSamples);
      for (std::size_t i = 0; i < label.size(); ++i)
        if (label[i] > 0 && seen++ % stride == 0) values.push_back(image[i]);
    }
    if (values.empty())
      throw Error(ErrorKind::data, "medical.empty_foreground", "no training case has foreground", "CT normalisation needs some");
    const Tensor all = Tensor::from(values, Shape{1, 1, std::int64_t(values.size())});
    const auto s = intensity_statistics(all);
    normalisation_.fixed.push_back(ct_normalisation(s.p005, s.p995, s.mean, s.deviation));
  }
}

void Dataset::load(const Monitor& monitor, const ModelSpace* space, const NormalisationRule* rule) {
  Pass pass = read_all(true, monitor);
  const auto problems = pass.all();
  if (!problems.empty()) {
    const Problem& first = problems.front();
    std::string hint = first.remedy;
    if (problems.size() > 1) hint += (hint.empty() ? "" : "; ") + std::to_string(problems.size() - 1) + " more";
    throw Error(ErrorKind::data, first.code, first.message, hint + (hint.empty() ? "" : "; ") + "`tenon check RECIPE` lists every defect",
                first.where);
  }

  if (space) {
    space_ = *space;
  } else {
    std::vector<Geometry> geometries;
    for (const auto& f : pass.parts.at("train")) geometries.push_back(f.geometry);
    space_ = choose_space(geometries);
  }
  if (rule)
    normalisation_ = *rule;
  else
    choose_normalisation(pass);

  splits_.clear();
  for (auto& [part, facts] : pass.parts) {
    auto& cases = splits_[part];
    cases.resize(facts.size());
    parallel_for(std::int64_t(facts.size()), [&](std::int64_t i) {
      Facts& f = facts[std::size_t(i)];
      LoadedCase& c = cases[std::size_t(i)];
      c.files = f.files;
      c.digest = f.digest;
      c.geometry = f.geometry;
      c.path = path_to(f.geometry, space_);
      const auto [nz, ny, nx] = c.path.size;
      c.image = Tensor::empty(Shape{settings_.channels, nz, ny, nx});
      for (std::int64_t k = 0; k < settings_.channels; ++k) {
        const Tensor plane = image_to_model(normalisation_.apply(f.images[std::size_t(k)], std::size_t(k)), c.path).contiguous();
        std::memcpy(c.image.data<float>() + k * nz * ny * nx, plane.data<float>(), plane.nbytes());
      }
      c.label = labels_to_model(f.label, c.path).contiguous();
      f.images.clear();
      f.label = {};
    });
  }
}

const std::vector<LoadedCase>& Dataset::split(const std::string& name) const {
  const auto found = splits_.find(name);
  if (found != splits_.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [part, cases] : splits_) known.push_back(part);
  if (known.empty()) throw_usage("Dataset::split", "nothing is loaded yet");
  throw Error(ErrorKind::usage, "medical.no_split", "there is no split '" + name + "'", suggestion(name, known));
}

std::vector<std::string> Dataset::splits() const {
  std::vector<std::string> names;
  for (const auto& [part, cases] : splits_)
    if (!cases.empty()) names.push_back(part);
  return names;
}

std::map<std::string, std::string> Dataset::digests() const {
  std::vector<fs::path> files;
  if (!settings_.folds.empty()) files.push_back(settings_.root / settings_.folds);
  for (const auto& [part, cases] : splits_)
    for (const auto& c : cases) {
      files.insert(files.end(), c.files.images.begin(), c.files.images.end());
      files.push_back(c.files.label);
    }
  std::vector<std::string> digest(files.size());
  parallel_for(std::int64_t(files.size()), [&](std::int64_t i) { digest[std::size_t(i)] = sha256_of_file(files[std::size_t(i)]); });
  std::map<std::string, std::string> result;
  for (std::size_t i = 0; i < files.size(); ++i) result[files[i].lexically_relative(settings_.root).generic_string()] = digest[i];
  return result;
}

std::string stem_of(const fs::path& file, const std::vector<std::string>& extensions) {
  const std::string name = file.filename().string();
  for (const auto& extension : extensions)
    if (has_extension(name, extension)) return name.substr(0, name.size() - extension.size());
  return file.stem().string();
}

std::vector<fs::path> channel_files(const fs::path& first, std::int64_t channels, const std::vector<std::string>& extensions) {
  if (channels == 1) return {first};
  const std::string stem = stem_of(first, extensions), suffix = channel_suffix(0), name = first.filename().string();
  if (!stem.ends_with(suffix))
    throw Error(ErrorKind::data, "medical.channels", "the model takes " + std::to_string(channels) + " channels",
                "give the first one of each scan, NAME" + suffix + name.substr(stem.size()), first.string());
  std::vector<fs::path> files;
  for (std::int64_t c = 0; c < channels; ++c) {
    fs::path file = first.parent_path() / (stem.substr(0, stem.size() - suffix.size()) + channel_suffix(c) + name.substr(stem.size()));
    if (!file_exists(file))
      throw Error(ErrorKind::data, "medical.image_absent", "channel " + std::to_string(c) + " is absent", "put it beside the first",
                  file.string());
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace tenon::medical

#include "medical/tasks/dataset.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "tenon/catalogue.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/sha256.hpp"
#include "tenon/kernel.hpp"
#include "tenon/random.hpp"

namespace tenon::medical {
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kChunk = 8;                  // cases read between two words to the monitor
constexpr std::size_t kCasesForMedian = 5;          // fewer have no typical size to be foreign to
constexpr std::int64_t kForegroundSamples = 20000;  // voxels a case that the "ct" statistics look at

std::string numbers(const std::array<std::int64_t, 3>& v) {
  return std::to_string(v[0]) + "x" + std::to_string(v[1]) + "x" + std::to_string(v[2]);
}
std::string millimetres(const std::array<double, 3>& v) {
  char text[96];
  std::snprintf(text, sizeof text, "%.4g x %.4g x %.4g mm", v[0], v[1], v[2]);
  return text;
}

Problem problem_of(const Error& e, const std::string& id, const fs::path& file) {
  return {e.code(), id, (e.where().empty() ? file.string() : e.where()) + ": " + e.message(), e.hint()};
}

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
      texts_param("extensions", {".nii.gz", ".nii", ".nrrd", ".mha", ".mhd"}, "file extensions, tried in this order"),
      text_param("normalisation", "zscore",
                 "grey values: each scan to mean 0 and deviation 1, or CT windowing by the training set's foreground",
                 {"zscore", "ct", "none"}),
      real_param("foreign_factor", 3, "refuse a case whose size or spacing differs from the median by this factor along an axis; 0: never",
                 0, 1000),
      boolean_param("allow_leak", false, "accept the same scan in training and validation"),
      boolean_param("allow_empty", false, "accept cases without any foreground"),
      boolean_param("shuffle_labels", false, "give each training scan another one's labels: a run that must fall to the floor"),
  };
  return spec;
}

DataSettings data_settings(const ParamValues& v, const fs::path& recipe_directory) {
  DataSettings s;
  const std::string& root = v.text("root");
  if (root.empty())
    throw Error(ErrorKind::usage, "medical.no_root", "the recipe names no data", "set data.root to a folder or to data:NAME");
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
  s.shuffle_labels = v.boolean("shuffle_labels");
  if (s.label_names.size() < 2 || s.label_names.size() > 255)
    throw Error(ErrorKind::usage, "medical.label_names", std::to_string(s.label_names.size()) + " label names",
                "name the background and each label, e.g. label_names = [\"background\", \"tumour\"]");
  if (s.foreign_factor != 0 && s.foreign_factor <= 1)
    throw Error(ErrorKind::usage, "medical.foreign_factor", "data.foreign_factor must be above 1, or 0 for none", "3 is usual");
  return s;
}

Tensor NormalisationRule::apply(const Tensor& image, std::size_t channel) const {
  if (name == "none") return image;
  if (name == "ct") return normalise(image, fixed.at(channel));
  return normalise(image, z_score(image));
}

/// What one case turned out to be.
struct Dataset::Facts {
  CaseFiles files;
  std::vector<Problem> problems;
  bool placed = false;  ///< geometry is known
  Geometry geometry;
  std::string digest;  ///< of the first channel's size and voxels
  std::set<int> label_values;
  std::vector<Tensor> images;  ///< raw, a channel each; only where asked for
  Tensor label;
};

struct Dataset::Pass {
  Split split;
  std::vector<Problem> problems;                    ///< of the split itself and between cases
  std::map<std::string, std::vector<Facts>> parts;  ///< as in the split
  std::vector<Facts> strays;                        ///< in the folders, in no part
  std::vector<Problem> all() const {
    std::vector<Problem> list = problems;
    for (const auto& [name, facts] : parts)
      for (const auto& f : facts) list.insert(list.end(), f.problems.begin(), f.problems.end());
    for (const auto& f : strays) list.insert(list.end(), f.problems.begin(), f.problems.end());
    return list;
  }
};

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

CaseFiles Dataset::find(const std::string& id) const {
  CaseFiles files{id, std::vector<fs::path>(std::size_t(settings_.channels)), {}};
  auto first = [&](const std::string& folder, const std::string& stem) -> fs::path {
    for (const auto& extension : settings_.extensions)
      if (fs::path path = settings_.root / folder / (stem + extension); file_exists(path)) return path;
    return {};
  };
  for (std::int64_t c = 0; c < settings_.channels; ++c)
    files.images[std::size_t(c)] = first(settings_.images, settings_.channels > 1 ? id + channel_suffix(c) : id);
  files.label = first(settings_.labels, id);
  return files;
}

Dataset::Facts Dataset::inspect(const CaseFiles& files, bool keep) const {
  Facts facts;
  facts.files = files;
  auto report = [&](std::string code, std::string message, std::string remedy) {
    facts.problems.push_back({std::move(code), files.id, std::move(message), std::move(remedy)});
  };
  const bool any_image = std::any_of(files.images.begin(), files.images.end(), [](const fs::path& p) { return !p.empty(); });
  const bool all_images = std::none_of(files.images.begin(), files.images.end(), [](const fs::path& p) { return p.empty(); });
  if (!any_image && files.label.empty()) {
    report("medical.case_absent", "named in the split, but neither a scan nor a label is there below " + settings_.root.string(),
           "put its files there or take it out of the split");
    return facts;
  }
  if (!all_images)
    report("medical.image_absent",
           (files.label.empty() ? std::string() : files.label.string() + ": ") + "its scan is not in '" + settings_.images + "'",
           "put the scan there or take the case out");
  if (files.label.empty())
    report("medical.unlabelled", files.images.front().string() + ": no label in '" + settings_.labels + "'",
           "add its label or take the case out");

  for (std::size_t c = 0; c < files.images.size(); ++c) {
    if (files.images[c].empty()) continue;
    try {
      const Volume volume = read_volume(files.images[c]);
      if (!facts.placed) {
        facts.geometry = volume.geometry;
        facts.placed = true;
      } else if (const auto difference = describe_difference(facts.geometry, volume.geometry); !difference.empty()) {
        report("medical.geometry", files.images[c].string() + ": channels lie differently: " + difference,
               "register or resample them to one grid");
      }
      const Tensor values = volume.values.contiguous();
      const auto v = values.span<float>();
      std::int64_t bad = 0, first_bad = -1;
      float low = std::numeric_limits<float>::infinity(), high = -low;
      for (std::size_t i = 0; i < v.size(); ++i) {
        if (!std::isfinite(v[i])) {
          if (bad++ == 0) first_bad = std::int64_t(i);
          continue;
        }
        low = std::min(low, v[i]);
        high = std::max(high, v[i]);
      }
      const auto& size = volume.geometry.size;
      if (bad > 0)
        report("medical.not_finite",
               files.images[c].string() + ": " + std::to_string(bad) + " of " + std::to_string(v.size()) +
                   " voxels are NaN or infinite, the first at (" + std::to_string(first_bad % size[0]) + ", " +
                   std::to_string(first_bad / size[0] % size[1]) + ", " + std::to_string(first_bad / (size[0] * size[1])) + ")",
               "replace them or take the case out");
      else if (low == high)
        report("medical.constant", files.images[c].string() + ": every voxel is " + std::to_string(low),
               "the scan is empty: take the case out");
      if (c == 0) {
        Sha256 sha;
        sha.update(size.data(), sizeof size);
        sha.update(v.data(), v.size_bytes());
        facts.digest = sha.hex_digest();
      }
      if (keep) facts.images.push_back(values);
    } catch (const Error& e) {
      facts.problems.push_back(problem_of(e, files.id, files.images[c]));
    }
  }

  if (files.label.empty()) return facts;
  try {
    const Tensor label = read_labels(files.label).values.contiguous();
    const Geometry geometry = read_geometry(files.label);
    if (!facts.placed) {
      facts.geometry = geometry;
      facts.placed = true;
    } else if (const auto difference = describe_difference(facts.geometry, geometry); !difference.empty()) {
      report("medical.geometry", files.label.string() + ": label and scan lie differently: " + difference,
             "resample the label to the scan, or take the case out");
    }
    std::array<std::int64_t, 256> count{};
    for (std::uint8_t v : label.span<std::uint8_t>()) ++count[v];
    std::string outside;
    std::int64_t foreground = 0;
    for (std::size_t v = 0; v < 256; ++v) {
      if (count[v] == 0) continue;
      facts.label_values.insert(int(v));
      if (v > 0) foreground += count[v];
      if (v >= settings_.label_names.size())
        outside += (outside.empty() ? "" : ", ") + std::to_string(v) + " (" + std::to_string(count[v]) + " voxels)";
    }
    if (!outside.empty())
      report("medical.label_value",
             files.label.string() + ": holds " + outside + ", but the labels are 0 to " + std::to_string(settings_.label_names.size() - 1),
             "declare the value in data.label_names or mend the label");
    if (foreground == 0 && !settings_.allow_empty)
      report("medical.empty_foreground", files.label.string() + ": every voxel is background",
             "label the case, take it out, or set data.allow_empty = true");
    if (keep) facts.label = label;
  } catch (const Error& e) {
    facts.problems.push_back(problem_of(e, files.id, files.label));
  }
  return facts;
}

Dataset::Pass Dataset::read_all(bool keep, bool strays, const Monitor& monitor) const {
  Pass pass;
  pass.split = current_split();
  pass.problems = split_problems(pass.split, settings_.allow_leak);

  std::vector<Facts*> slots;
  std::set<std::string> known;
  for (const auto& [part, ids] : pass.split) {
    auto& facts = pass.parts[part];
    facts.reserve(ids.size());
    std::set<std::string> once;
    for (const auto& id : ids) {
      known.insert(id);
      if (!once.insert(id).second) continue;
      facts.emplace_back();
      facts.back().files.id = id;
    }
    for (auto& f : facts) slots.push_back(&f);
  }
  if (strays) {
    std::set<std::string> others;
    for (bool images : {true, false})
      for (auto& id : ids_in(images ? settings_.images : settings_.labels, images))
        if (!known.contains(id)) others.insert(id);
    for (const auto& id : others) {
      CaseFiles files = find(id);
      // A whole pair outside the split is somebody's choice; half a pair is a defect.
      if (!files.label.empty() && !files.images.front().empty()) continue;
      pass.strays.emplace_back();
      pass.strays.back().files.id = id;
    }
    for (auto& f : pass.strays) slots.push_back(&f);
  }

  const auto total = std::int64_t(slots.size());
  for (std::int64_t begin = 0; begin < total; begin += kChunk) {
    monitor.turn(keep ? "reading scans" : "checking scans", begin, total);
    parallel_for(std::min(kChunk, total - begin), [&](std::int64_t i) {
      Facts& slot = *slots[std::size_t(begin + i)];
      slot = inspect(find(slot.files.id), keep);
    });
  }
  if (monitor.progress) monitor.progress(keep ? "reading scans" : "checking scans", total, total);
  compare(pass);
  return pass;
}

/// Defects that only show between cases: foreign sizes and spacings, the same scan on both sides of the split.
void Dataset::compare(Pass& pass) const {
  std::array<std::vector<double>, 3> sizes, spacings;
  std::set<int> usual_labels;
  auto upright = [](const Geometry& g) { return reorient(g, orientation_to(g, "RAS")); };
  for (const auto& [part, facts] : pass.parts)
    for (const auto& f : facts) {
      if (!f.placed) continue;
      const Geometry g = upright(f.geometry);
      const auto spacing = g.spacing();
      for (std::size_t a = 0; a < 3; ++a) {
        sizes[a].push_back(double(g.size[a]));
        spacings[a].push_back(spacing[a]);
      }
      usual_labels.insert(f.label_values.begin(), f.label_values.end());
    }
  auto median = [](std::vector<double> v) {
    std::nth_element(v.begin(), v.begin() + std::ptrdiff_t(v.size() / 2), v.end());
    return v[v.size() / 2];
  };
  if (settings_.foreign_factor > 0 && sizes[0].size() >= kCasesForMedian) {
    std::array<std::int64_t, 3> usual_size{};
    std::array<double, 3> usual_spacing{};
    for (std::size_t a = 0; a < 3; ++a) {
      usual_size[a] = std::int64_t(median(sizes[a]));
      usual_spacing[a] = median(spacings[a]);
    }
    auto foreign = [&](double value, double usual) {
      const double ratio = value / usual;
      return ratio > settings_.foreign_factor || ratio < 1 / settings_.foreign_factor;
    };
    auto list = [](const std::set<int>& values) {
      std::string text = "{";
      for (int v : values) text.append(text.size() == 1 ? "" : ", ").append(std::to_string(v));
      return text.append("}");
    };
    auto judge = [&](Facts& f) {
      if (!f.placed) return;
      const Geometry g = upright(f.geometry);
      const auto spacing = g.spacing();
      bool size_differs = false, spacing_differs = false;
      for (std::size_t a = 0; a < 3; ++a) {
        size_differs |= foreign(double(g.size[a]), double(usual_size[a]));
        spacing_differs |= foreign(spacing[a], usual_spacing[a]);
      }
      std::string labels;
      if (!f.label_values.empty() && f.label_values != usual_labels)
        labels = "; its labels are " + list(f.label_values) + ", the set's " + list(usual_labels);
      const std::string remedy = "probably another data set's: take it out, or raise data.foreign_factor";
      if (size_differs)
        f.problems.push_back(
            {"medical.foreign_size", f.files.id, numbers(g.size) + " voxels where the median is " + numbers(usual_size) + labels, remedy});
      if (spacing_differs)
        f.problems.push_back(
            {"medical.foreign_spacing", f.files.id, millimetres(spacing) + " where the median is " + millimetres(usual_spacing), remedy});
    };
    for (auto& [part, facts] : pass.parts)
      for (auto& f : facts) judge(f);
    for (auto& f : pass.strays) judge(f);
  }

  if (settings_.allow_leak) return;
  std::map<std::string, const Facts*> training;
  for (const auto& f : pass.parts["train"])
    if (!f.digest.empty()) training.emplace(f.digest, &f);
  for (auto& [part, facts] : pass.parts) {
    if (part == "train") continue;
    for (auto& f : facts)
      if (const auto twin = training.find(f.digest); twin != training.end() && twin->second->files.id != f.files.id)
        f.problems.push_back({"medical.leak", f.files.id, "the same voxels as " + twin->second->files.id + ", which is in 'train'",
                              "take one of them out, or set data.allow_leak = true and mistrust the scores"});
  }
}

std::vector<Problem> Dataset::check(const Monitor& monitor) {
  try {
    return read_all(false, true, monitor).all();
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::data) throw;
    return {{e.code(), e.where().empty() ? settings_.root.string() : e.where(), e.message(), e.hint()}};
  }
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

void Dataset::load(const Monitor& monitor) {
  Pass pass = read_all(true, false, monitor);
  const auto problems = pass.all();
  if (!problems.empty()) {
    const Problem& first = problems.front();
    std::string hint = first.remedy;
    if (problems.size() > 1) hint += (hint.empty() ? "" : "; ") + std::to_string(problems.size() - 1) + " more";
    throw Error(ErrorKind::data, first.code, first.message, hint + (hint.empty() ? "" : "; ") + "`tenon check RECIPE` lists every defect",
                first.where);
  }

  std::vector<Geometry> geometries;
  for (const auto& f : pass.parts.at("train")) geometries.push_back(f.geometry);
  space_ = choose_space(geometries);
  choose_normalisation(pass);

  splits_.clear();
  for (auto& [part, facts] : pass.parts) {
    auto& cases = splits_[part];
    cases.resize(facts.size());
    parallel_for(std::int64_t(facts.size()), [&](std::int64_t i) {
      Facts& f = facts[std::size_t(i)];
      LoadedCase& c = cases[std::size_t(i)];
      c.files = f.files;
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
  if (settings_.shuffle_labels) shuffle_labels(splits_["train"]);
}

/// Each scan gets the labels of the next one in a fixed random order, stretched to its own grid: no scan keeps its own.
void Dataset::shuffle_labels(std::vector<LoadedCase>& cases) const {
  std::vector<std::size_t> order(cases.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  const Random random(0, 0x73687566666c65);  // "shuffle"
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[std::size_t(random.below(i, i))]);
  std::vector<Tensor> moved(cases.size());
  parallel_for(std::int64_t(cases.size()), [&](std::int64_t k) {
    const std::size_t to = order[std::size_t(k)], from = order[(std::size_t(k) + 1) % order.size()];
    moved[to] = resample_labels(cases[from].label, cases[to].path.size).contiguous();
  });
  for (std::size_t i = 0; i < cases.size(); ++i) cases[i].label = moved[i];
}

const std::vector<LoadedCase>& Dataset::split(const std::string& name) const {
  const auto found = splits_.find(name);
  if (found != splits_.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [part, cases] : splits_) known.push_back(part);
  if (known.empty()) throw_usage("Dataset::split", "nothing is loaded yet");
  throw Error(ErrorKind::usage, "medical.no_split", "there is no split '" + name + "'", suggestion(name, known));
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

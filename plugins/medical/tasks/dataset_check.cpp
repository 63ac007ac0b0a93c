#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <set>

#include "medical/tasks/dataset.hpp"
#include "medical/tasks/dataset_pass.hpp"
#include "tenon/error.hpp"
#include "tenon/io/sha256.hpp"
#include "tenon/io/utf8.hpp"
#include "tenon/kernel.hpp"

namespace tenon::medical {
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kChunk = 8;          // cases read between two words to the monitor
constexpr std::size_t kCasesForMedian = 5;  // fewer have no typical size to be foreign to

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

Problem problem_of_set(const Error& e) {
  return {e.code(), e.where(), e.message(), e.hint()};
}

}  // namespace

Dataset::Facts Dataset::inspect(const CaseFiles& files, const Pass& pass) const {
  Facts facts;
  facts.files = files;
  auto report = [&](std::string code, std::string message, std::string remedy) {
    facts.problems.push_back({std::move(code), files.id, std::move(message), std::move(remedy)});
  };
  auto note = [&](std::string warning) {
    if (!warning.empty()) facts.warnings.push_back(std::move(warning));
  };
  if (!is_utf8(files.id))  // ids are kept in JSON, and a case is known by its id again
    report("medical.id", "the case's name is not UTF-8", "rename its scan and its label");
  const bool any_image = std::any_of(files.images.begin(), files.images.end(), [](const fs::path& p) { return !p.empty(); });
  const bool all_images = std::none_of(files.images.begin(), files.images.end(), [](const fs::path& p) { return p.empty(); });
  if (!any_image && files.label.empty() && pass.images && pass.labels) {
    report("medical.case_absent", "named in the split, but neither a scan nor a label is there below " + settings_.root.string(),
           "put its files there or take it out of the split");
    return facts;
  }
  for (const auto& [one, other] : files.doubled)
    report("medical.two_files", "both " + one.string() + " and " + other.string() + " are there",
           "keep the right one, or leave the other's extension out of data.extensions");
  if (!all_images && pass.images)
    report("medical.image_absent",
           (files.label.empty() ? std::string() : files.label.string() + ": ") + "its scan is not in '" + settings_.images + "'",
           "put the scan there or take the case out");
  if (files.label.empty() && pass.labels)
    report("medical.unlabelled",
           (files.images.front().empty() ? std::string() : files.images.front().string() + ": ") + "no label in '" + settings_.labels + "'",
           "add its label or take the case out");

  for (std::size_t c = 0; c < files.images.size(); ++c) {
    if (files.images[c].empty()) continue;
    try {
      const Volume volume = read_volume(files.images[c]);
      note(volume.warning_line(files.images[c]));
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
      if (pass.keep) facts.images.push_back(values);
    } catch (const Error& e) {
      facts.problems.push_back(problem_of(e, files.id, files.images[c]));
    }
  }

  if (files.label.empty()) return facts;
  try {
    const Volume volume = read_labels(files.label);
    note(volume.warning_line(files.label));
    const Tensor label = volume.values.contiguous();
    const Geometry& geometry = volume.geometry;
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
    if (pass.keep) facts.label = label;
  } catch (const Error& e) {
    facts.problems.push_back(problem_of(e, files.id, files.label));
  }
  return facts;
}

/// For the check: what is wrong with the set itself is one problem among others.
void Dataset::survey(Pass& pass) const {
  std::set<std::string> absent;
  for (const Error& e : absent_below_root(settings_)) {
    pass.problems.push_back(problem_of_set(e));
    absent.insert(e.where());
  }
  const bool root = !absent.contains("data.root");
  pass.images = root && !absent.contains("data.images");
  pass.labels = root && !absent.contains("data.labels");
  pass.divided = settings_.folds.empty() ? pass.images : root && !absent.contains("data.folds");
  if (!pass.divided) return;
  try {
    pass.split = current_split();
  } catch (const Error& e) {
    pass.divided = false;
    pass.problems.push_back(problem_of_set(e));
  }
}

/// Files in the folders that belong to no case of the split.
void Dataset::list_strays(Pass& pass, const std::set<std::string>& known) const {
  std::set<std::string> others;
  for (bool images : {true, false}) {
    if (!(images ? pass.images : pass.labels)) continue;
    try {
      for (auto& id : ids_in(images ? settings_.images : settings_.labels, images))
        if (!known.contains(id)) others.insert(id);
    } catch (const Error& e) {
      pass.problems.push_back(problem_of_set(e));
    }
  }
  for (const auto& id : others) {
    const CaseFiles files = find(id);
    // A whole pair outside the split is somebody's choice; half a pair is a defect.
    if (pass.divided && !files.label.empty() && !files.images.front().empty()) continue;
    pass.strays.emplace_back();
    pass.strays.back().files.id = id;
  }
}

Dataset::Pass Dataset::read_all(bool keep, const Monitor& monitor) const {
  Pass pass;
  pass.keep = keep;
  if (keep)
    pass.split = current_split();
  else
    survey(pass);
  if (pass.divided)
    for (auto& problem : split_problems(pass.split, settings_.allow_leak)) pass.problems.push_back(std::move(problem));

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
  if (!keep) list_strays(pass, known);
  for (auto& f : pass.strays) slots.push_back(&f);

  const auto total = std::int64_t(slots.size());
  for (std::int64_t begin = 0; begin < total; begin += kChunk) {
    monitor.turn(keep ? "reading scans" : "checking scans", begin, total);
    parallel_for(std::min(kChunk, total - begin), [&](std::int64_t i) {
      Facts& slot = *slots[std::size_t(begin + i)];
      slot = inspect(find(slot.files.id), pass);
    });
    for (std::int64_t i = begin; i < std::min(total, begin + kChunk); ++i)
      for (const auto& text : slots[std::size_t(i)]->warnings) monitor.warn(text);
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
  return read_all(false, monitor).all();
}

}  // namespace tenon::medical

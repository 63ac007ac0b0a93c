#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <optional>

#include "medical/io/dicom.hpp"
#include "medical/io/dicom_count.hpp"
#include "medical/io/dicom_slice.hpp"
#include "medical/io/mosaic.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/kernel.hpp"

namespace tenon::medical {
namespace {

constexpr double kSamePlace = 1e-3;   ///< share of the step below which two slices lie at one place
constexpr double kStepTolerance = 0.02;  ///< share of the step, against rounded decimal strings
constexpr double kSmallestStep = 1e-4;   ///< mm

[[noreturn]] void fail(const char* code, const std::string& what, const std::string& hint) { throw Error(ErrorKind::data, code, what, hint); }

std::string name_of(const DicomSlice& s) { return s.path.filename().string(); }

struct Found {
  bool is_folder = false;  ///< else one file, which need not be all of its series
  std::vector<DicomSlice> slices;
  std::vector<std::string> skipped;
};

bool has_dicom_mark(const std::filesystem::path& path) {
  std::byte head[132];
  return is_dicom(std::span(head, files().open_read(path)->read(head, sizeof head)));
}

/// Every image of the folder; what is none is listed. A damaged DICOM file is an error, not something to skip.
Found collect(const std::filesystem::path& path) {
  std::vector<std::filesystem::path> paths;
  auto info = files().stat(path);
  if (!info) throw Error(ErrorKind::data, "io.not_found", "no such file or folder", "check the path", path.string());
  if (info->is_directory) {
    for (const auto& p : files().list(path)) {
      auto i = files().stat(p);
      if (i && i->is_regular) paths.push_back(p);
    }
  } else {
    paths.push_back(path);
  }
  std::vector<std::optional<DicomSlice>> slices(paths.size());
  std::vector<std::string> reasons(paths.size());
  parallel_for(std::int64_t(paths.size()), [&](std::int64_t i) {
    const auto& p = paths[std::size_t(i)];
    if (!has_dicom_mark(p)) {
      reasons[std::size_t(i)] = "not a DICOM file";
      return;
    }
    DicomFile file = DicomFile::read(p);
    if (!file.has_pixels()) {
      reasons[std::size_t(i)] = "not an image (SOP class " + file.text(0x00080016) + ")";
      return;
    }
    slices[std::size_t(i)] = make_slice(p, std::move(file));
  });
  Found found;
  found.is_folder = info->is_directory;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (slices[i]) {
      found.slices.push_back(std::move(*slices[i]));
    } else {
      found.skipped.push_back("skipped " + paths[i].filename().string() + ": " + reasons[i]);
    }
  }
  return found;
}

void choose_series(Found& found, const std::string& wanted) {
  std::map<std::string, std::pair<std::int64_t, std::string>> series;
  for (const auto& s : found.slices) {
    auto& entry = series[s.series];
    ++entry.first;
    entry.second = s.file.text(0x0008103E);
  }
  std::string list;
  for (const auto& [uid, entry] : series) list += fmt::format("\n  {} ({}, {} files)", uid, entry.second.empty() ? "no description" : entry.second, entry.first);
  if (!wanted.empty()) {
    if (!series.count(wanted)) fail("dicom.no_series", "no series " + wanted + " here; found:" + list, "give one of these");
    std::erase_if(found.slices, [&](const DicomSlice& s) { return s.series != wanted; });
    for (const auto& [uid, entry] : series) {
      if (uid != wanted) found.skipped.push_back(fmt::format("skipped {} files of series {}", entry.first, uid));
    }
    return;
  }
  if (series.size() > 1) fail("dicom.several_series", fmt::format("{} series in one folder:{}", series.size(), list), "choose one with --series UID");
}

void require_alike(const std::vector<DicomSlice>& slices) {
  const DicomSlice& a = slices.front();
  for (const DicomSlice& b : slices) {
    if (b.rows != a.rows || b.columns != a.columns) {
      fail("dicom.mixed_size", fmt::format("{} has {} x {} pixels, {} has {} x {}", name_of(a), a.rows, a.columns, name_of(b), b.rows, b.columns),
           "keep the slices of one size");
    }
    if (std::abs(a.dx - b.dx) > 1e-4 * a.dx || std::abs(a.dy - b.dy) > 1e-4 * a.dy) {
      fail("dicom.mixed_size", fmt::format("{} has pixels of {} x {} mm, {} of {} x {} mm", name_of(a), a.dx, a.dy, name_of(b), b.dx, b.dy),
           "keep the slices of one spacing");
    }
    if (dot(a.row, b.row) < 1 - 1e-4 || dot(a.column, b.column) < 1 - 1e-4) {
      fail("dicom.mixed_orientation", fmt::format("{} and {} are oriented differently ('{}' and '{}')", name_of(a), name_of(b), a.file.text(0x00200037),
                                                  b.file.text(0x00200037)),
           "keep the slices of one orientation (a localiser holds three)");
    }
    if (a.rescale_type != b.rescale_type) {
      fail("dicom.mixed_rescale_type", fmt::format("{} has RescaleType '{}', {} has '{}'", name_of(a), a.rescale_type, name_of(b), b.rescale_type),
           "keep the slices of one type");
    }
    if (a.mosaic != b.mosaic) fail("dicom.mixed_size", name_of(a) + " and " + name_of(b) + ": one is a mosaic, the other is not", "separate them");
  }
}

double place_of(const DicomSlice& s, const Vec3& normal) { return dot(s.position, normal); }

/// Typical step: the median of the gaps that are none of a duplicate.
double median_step(const std::vector<double>& places) {
  std::vector<double> gaps;
  for (std::size_t i = 1; i < places.size(); ++i) {
    if (places[i] - places[i - 1] > kSmallestStep) gaps.push_back(places[i] - places[i - 1]);
  }
  if (gaps.empty()) return 0;
  std::nth_element(gaps.begin(), gaps.begin() + std::ptrdiff_t(gaps.size() / 2), gaps.end());
  return gaps[gaps.size() / 2];
}

/// Sorted places of slices that remain; refuses or repairs duplicates.
std::vector<double> order_slices(std::vector<DicomSlice>& slices, const DicomOptions& options, std::vector<std::string>& notes) {
  Vec3 normal = slices.front().normal();
  std::stable_sort(slices.begin(), slices.end(), [&](const DicomSlice& a, const DicomSlice& b) { return place_of(a, normal) < place_of(b, normal); });
  auto places_of = [&] {
    std::vector<double> places;
    for (const auto& s : slices) places.push_back(place_of(s, normal));
    return places;
  };
  auto places = places_of();
  double step = median_step(places), same = std::max(kSmallestStep, kSamePlace * step);
  std::string duplicates;
  std::vector<DicomSlice> kept;
  int count = 0;
  for (std::size_t i = 0; i < slices.size(); ++i) {
    if (!kept.empty() && places[i] - place_of(kept.back(), normal) < same) {
      ++count;
      duplicates += fmt::format("\n  {} lies where {} does ({:.3f} mm along the normal)", name_of(slices[i]), name_of(kept.back()), places[i]);
      continue;
    }
    kept.push_back(std::move(slices[i]));
  }
  if (count && !options.drop_duplicates) {
    fail("dicom.duplicate_slice", fmt::format("{} duplicated slices:{}", count, duplicates), "remove them, or keep the first of each place: tenon medical convert --drop-duplicates");
  }
  if (count) notes.push_back(fmt::format("dropped {} duplicated slices:{}", count, duplicates));
  slices = std::move(kept);
  return places_of();
}

/// Empty when the step is uniform; else what is wrong, and its code.
std::pair<const char*, std::string> unevenness(const std::vector<DicomSlice>& slices, const std::vector<double>& places) {
  double step = median_step(places), tolerance = std::max(kStepTolerance * step, 1e-3);
  std::string text;
  bool only_missing = true;
  for (std::size_t i = 1; i < places.size(); ++i) {
    double gap = places[i] - places[i - 1], steps = std::round(gap / step);
    if (std::abs(gap - step) <= tolerance) continue;
    if (steps >= 2 && std::abs(gap - steps * step) <= tolerance * steps) {
      text += fmt::format("\n  {} missing between {} and {} (at {:.3f} mm along the normal; the step is {:.4f} mm)", steps - 1 == 1 ? "one slice" : fmt::format("{} slices", steps - 1),
                          name_of(slices[i - 1]), name_of(slices[i]), places[i - 1] + step, step);
    } else {
      only_missing = false;
      text += fmt::format("\n  {:.4f} mm between {} and {}, {:.4f} mm elsewhere", gap, name_of(slices[i - 1]), name_of(slices[i]), step);
    }
  }
  if (text.empty()) {
    // A drift that no single gap shows: every slice must lie on the straight line from the first to the last.
    double n = double(places.size() - 1);
    for (std::size_t i = 1; i + 1 < places.size(); ++i) {
      double share = double(i) / n, off = 0;
      for (std::size_t r = 0; r < 3; ++r) {
        double line = slices.front().position[r] + share * (slices.back().position[r] - slices.front().position[r]);
        off = std::max(off, std::abs(slices[i].position[r] - line));
      }
      if (off > std::max(0.1 * std::min({step, slices[i].dx, slices[i].dy}), 1e-3)) {
        return {"dicom.uneven_step", fmt::format("\n  {} lies {:.4f} mm off the line from the first slice to the last", name_of(slices[i]), off)};
      }
    }
    return {nullptr, {}};
  }
  return {only_missing ? "dicom.missing_slice" : "dicom.uneven_step", text};
}

/// Whether stored * slope + intercept stays whole for every slice.
bool whole(const std::vector<DicomSlice>& slices) {
  return std::all_of(slices.begin(), slices.end(), [](const DicomSlice& s) { return s.slope == 1 && s.intercept == std::floor(s.intercept) && std::abs(s.intercept) < 1e9; });
}

DType value_type(const std::vector<DicomSlice>& slices) {
  if (!whole(slices)) return DType::f32;
  double low = 0, high = 0;
  for (const DicomSlice& s : slices) {
    double span = std::ldexp(1.0, s.bits_stored), least = s.is_signed ? -span / 2 : 0;
    low = std::min(low, least + s.intercept);
    high = std::max(high, least + span - 1 + s.intercept);
  }
  if (low >= -32768 && high <= 32767) return DType::i16;
  if (low >= -2147483648.0 && high <= 2147483647.0) return DType::i32;
  return DType::f32;
}

/// One slice's values, [pixels], in `dtype`.
Tensor values_of(const DicomSlice& s, const Tensor& stored, std::int64_t n, DType dtype) {
  Tensor raw = decode(static_cast<const std::byte*>(stored.raw()), s.element(), false, {n}, 1, 0, stored);
  if (dtype == DType::f32) return decode(static_cast<const std::byte*>(stored.raw()), s.element(), false, {n}, s.slope, s.intercept, stored).to(DType::f32);
  if (s.intercept == 0) return raw.to(dtype);
  Tensor wide = raw.to(DType::i64), out = Tensor::empty({n}, DType::i64);
  auto add = std::int64_t(s.intercept);
  const auto* from = wide.data<std::int64_t>();
  auto* to = out.data<std::int64_t>();
  for (std::int64_t i = 0; i < n; ++i) to[i] = from[i] + add;
  return out.to(dtype);
}

void copy_into(const Tensor& volume, std::int64_t index, const Tensor& slab) {
  std::memcpy(static_cast<char*>(volume.raw()) + std::size_t(index) * slab.nbytes(), slab.contiguous().raw(), slab.nbytes());
}

Volume read_mosaics(std::vector<DicomSlice>& pictures) {
  std::stable_sort(pictures.begin(), pictures.end(), [](const DicomSlice& a, const DicomSlice& b) { return a.number < b.number; });
  Mosaic m = mosaic_of(pictures.front());
  for (const DicomSlice& p : pictures) {
    Mosaic other = mosaic_of(p);
    if (std::string why = describe_difference(m.geometry, other.geometry, 1e-2); !why.empty()) {
      fail("dicom.mixed_orientation", name_of(pictures.front()) + " and " + name_of(p) + ": " + why, "keep the volumes of one grid");
    }
  }
  Volume v;
  v.geometry = m.geometry;
  DType dtype = value_type(pictures);
  std::int64_t n = m.rows * m.columns * m.slices, t = std::int64_t(pictures.size());
  v.values = t == 1 ? Tensor::empty({m.slices, m.rows, m.columns}, dtype) : Tensor::empty({t, m.slices, m.rows, m.columns}, dtype);
  parallel_for(t, [&](std::int64_t i) {
    const DicomSlice& p = pictures[std::size_t(i)];
    auto width = std::size_t(p.bits_allocated / 8);
    Tensor tiled = p.stored(), unpacked = Tensor::empty({n * std::int64_t(width)}, DType::u8);
    unpack_mosaic(m, p.columns, width, static_cast<const std::byte*>(tiled.raw()), static_cast<std::byte*>(unpacked.raw()));
    copy_into(v.values, i, values_of(p, unpacked, n, dtype));
  });
  return v;
}

/// Linear interpolation of slices at `places` onto `count` slices from places[0] on, `step` apart.
Tensor regularised(const Tensor& values, const std::vector<double>& places, double step, std::int64_t count) {
  std::int64_t plane = values.size(1) * values.size(2);
  Tensor out = Tensor::empty({count, values.size(1), values.size(2)});
  const float* from = values.data<float>();
  float* to = out.data<float>();
  parallel_for(count, [&](std::int64_t z) {
    double at = std::min(places[0] + double(z) * step, places.back());
    auto after = std::size_t(std::upper_bound(places.begin(), places.end(), at) - places.begin());
    after = std::clamp<std::size_t>(after, 1, places.size() - 1);
    auto w = float((at - places[after - 1]) / (places[after] - places[after - 1]));
    const float *a = from + std::int64_t(after - 1) * plane, *b = a + plane;
    for (std::int64_t i = 0; i < plane; ++i) to[z * plane + i] = (1 - w) * a[i] + w * b[i];
  });
  return out;
}

Volume read_stack(Found& found, const DicomOptions& options, std::vector<std::string>& notes) {
  auto& slices = found.slices;
  if (slices.size() > 1) {
    for (const DicomSlice& s : slices) {
      if (!s.has_place) fail("dicom.no_position", name_of(s) + " has no ImagePositionPatient or ImageOrientationPatient", "a stack cannot be ordered without them");
      if (!s.has_spacing) fail("dicom.missing_tag", name_of(s) + " has no PixelSpacing", "export the series again");
    }
  }
  // Before duplicates go, whose numbers count too. Projections have no place and are no stack.
  std::string absent = found.is_folder && slices.front().has_place ? absent_slices(slices) : std::string();
  std::vector<double> places = order_slices(slices, options, notes);
  double step = median_step(places);
  const auto [contradiction, doubt] = judge_distance(slices, step);
  absent += contradiction;
  if (!doubt.empty()) notes.push_back(doubt);
  bool uneven = false;
  if (slices.size() > 1) {
    auto [code, what] = unevenness(slices, places);
    uneven = code != nullptr;
    if (uneven && !options.regularise) fail(code, "the slices are not evenly spaced:" + what + absent, "find the missing files, or interpolate onto even steps: tenon medical convert --regularise");
    if (uneven) notes.push_back("interpolated onto even steps:" + what + absent);
  }
  if (!uneven && !absent.empty()) {
    if (!options.regularise) {
      fail("dicom.missing_slice", "the headers tell of slices that are not here:" + absent,
           "find the missing files; where they belong to another image (a scout, an echo), read what is here: tenon medical convert --regularise");
    }
    notes.push_back("read without slices that the headers tell of:" + absent);
  }
  const DicomSlice& first = slices.front();
  Volume v;
  auto n = std::int64_t(slices.size());
  DType dtype = uneven ? DType::f32 : value_type(slices);
  v.values = Tensor::empty({n, first.rows, first.columns}, dtype);
  parallel_for(n, [&](std::int64_t z) {
    const DicomSlice& s = slices[std::size_t(z)];
    copy_into(v.values, z, values_of(s, s.stored(), s.rows * s.columns, dtype));
  });
  Vec3 third = first.normal();
  if (n > 1) {
    // The whole vector between slices, not only its part along the normal: gantry tilt is kept as shear.
    double steps = uneven ? (places.back() - places.front()) / step : double(n - 1);
    for (std::size_t r = 0; r < 3; ++r) third[r] = (slices.back().position[r] - first.position[r]) / steps;
  } else {
    auto between = first.file.decimals(0x00180088), thickness = first.file.decimals(0x00180050);
    double depth = between.size() == 1 && between[0] > 0 ? between[0] : thickness.size() == 1 && thickness[0] > 0 ? thickness[0] : 1;
    for (double& t : third) t *= depth;
    notes.push_back(fmt::format("a single slice: its thickness is taken as {} mm", depth));
    if (!first.has_place) notes.push_back("no position: axes and origin are arbitrary");
    if (!first.has_spacing) notes.push_back("no PixelSpacing: pixels are taken as 1 mm");
  }
  if (uneven) {
    auto count = std::int64_t(std::llround((places.back() - places.front()) / step)) + 1;
    if (count > 16 * n) fail("dicom.uneven_step", fmt::format("even steps of {:.4f} mm would need {} slices for {}", step, count, n), "the positions are damaged");
    v.values = regularised(v.values, places, step, count);
    n = count;
  }
  v.geometry.size = {first.columns, first.rows, n};
  for (std::size_t r = 0; r < 3; ++r) {
    double sign = r < 2 ? -1 : 1;  // LPS to RAS
    v.geometry.to_ras[r] = {sign * first.row[r] * first.dx, sign * first.column[r] * first.dy, sign * third[r], sign * first.position[r]};
  }
  if (double s = v.geometry.shear(); s > 1e-3) notes.push_back(fmt::format("the grid is sheared (gantry tilt): two axes have cosine {:.4f} (kept)", s));
  return v;
}

Volume read_found(Found& found, const DicomOptions& options) {
  if (found.slices.empty()) {
    std::string list;
    for (const auto& s : found.skipped) list += "\n  " + s;
    fail("dicom.no_images", "no DICOM image here" + (list.empty() ? std::string() : ":" + list), "give a folder with one series");
  }
  choose_series(found, options.series);
  require_alike(found.slices);
  std::vector<std::string> notes;
  Volume v = found.slices.front().mosaic ? read_mosaics(found.slices) : read_stack(found, options, notes);
  for (auto& [key, value] : identity_of(found.slices.front().file)) v.attributes[key] = value;
  for (auto& text : notes) v.warn(text);
  for (auto& text : found.skipped) v.warn(text);
  return v;
}

}  // namespace

Volume read_dicom(const std::filesystem::path& path, const DicomOptions& options) {
  try {
    Found found = collect(path);
    return read_found(found, options);
  } catch (const Error& e) {
    throw e.at(path.string());
  }
}

}  // namespace tenon::medical

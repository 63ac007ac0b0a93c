#include "cloud.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/plugin.hpp"

namespace driving_plugin {
namespace {

using namespace tenon;
namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "records are read as they lie in memory");

// Errors carry a code that stays the same when the words change: <plugin>.<what>.
constexpr const char* kCloudError = "driving.velodyne";
// Files come from anywhere: what they may cost is bounded before anything is read. A sweep of 128 beams has some 250,000 points, 4 MB.
constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;
constexpr float kFarthest = 1000;  // m; no LiDAR of a car sees as far, so it is another unit, or no point cloud

struct Defect {
  std::string what, remedy;
};

/// What is wrong with a point; nothing where all is well.
std::optional<Defect> defect_of(const Point& p) {
  const float coordinates[] = {p.x, p.y, p.z};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string value = std::string(1, "xyz"[i]) + " = " + std::to_string(coordinates[i]);
    if (!std::isfinite(coordinates[i])) return Defect{value + " is no number", "leave points without a return out of the file"};
    if (std::abs(coordinates[i]) > kFarthest)
      return Defect{value + " m, more than 1 km from the sensor", "write metres; is it a file of x, y, z, reflectance in f32?"};
  }
  if (!(p.reflectance >= 0 && p.reflectance <= 1)) {
    return Defect{"reflectance " + std::to_string(p.reflectance) + " is outside of 0 to 1",
                  "divide intensities of 0 to 255 by 255; files with a fifth value a point (nuScenes) must lose it first"};
  }
  return {};
}

void require_plausible(std::span<const Point> points, const fs::path& file, ErrorKind kind) {
  for (std::size_t i = 0; i < points.size(); ++i) {
    // The usual case in one comparison each: texts are made for the bad point only.
    const Point& p = points[i];
    const float farthest = std::max({std::abs(p.x), std::abs(p.y), std::abs(p.z)});
    if (farthest <= kFarthest && std::isfinite(p.x + p.y + p.z) && p.reflectance >= 0 && p.reflectance <= 1) continue;
    if (const auto defect = defect_of(p))
      throw Error(kind, kCloudError, "point " + std::to_string(i) + " (byte " + std::to_string(i * sizeof(Point)) + "): " + defect->what,
                  defect->remedy, file.string());
  }
}

/// A file without a header is known by its name, its size and by numbers that can be points; a file of zeros is not one.
bool is_cloud(const fs::path& file, std::span<const std::byte> head) {
  if (file.extension() != ".bin" || head.size() < sizeof(Point)) return false;
  const std::optional<FileInfo> info = files().stat(file);
  if (!info || !info->is_regular || info->size % sizeof(Point) != 0) return false;
  std::vector<Point> first(head.size() / sizeof(Point));
  std::memcpy(first.data(), head.data(), first.size() * sizeof(Point));
  bool somewhere = false;
  for (const Point& p : first) {
    if (defect_of(p)) return false;
    somewhere = somewhere || p.x != 0 || p.y != 0 || p.z != 0;
  }
  return somewhere;
}

/// [points, 4]: the axis of the channels names them. An axis has one unit, these have two: they stand in its attributes.
LabelledArray labelled(std::span<const Point> points) {
  LabelledArray cloud;
  cloud.name = "points";
  cloud.values = Tensor::empty(Shape{static_cast<std::int64_t>(points.size()), 4}, DType::f32, kCpu);
  cloud.values.copy_from_host(points.data(), points.size_bytes());
  Axis point, channel;
  point.name = "point";
  channel.name = "channel";
  channel.coordinates = {0, 1, 2, 3};
  channel.labels = {"x", "y", "z", "reflectance"};
  channel.attributes["units"] = "m m m 1";
  cloud.axes = {point, channel};
  cloud.attributes["frame"] = "x forward, y left, z up";
  return cloud;
}

void write_labelled(const fs::path& file, const LabelledArray& cloud, const ParamValues&) {
  if (!cloud.values.defined() || cloud.values.rank() != 2 || cloud.values.size(1) != 4) {
    const std::string shape = cloud.values.defined() ? cloud.values.shape().str() : "nothing";
    throw Error(ErrorKind::usage, kCloudError, "a point cloud is [points, 4], this array is " + shape,
                "give it x, y, z and reflectance along its second axis", file.string());
  }
  const Tensor values = cloud.values.to(kCpu).to(DType::f32).contiguous();
  std::vector<Point> points(static_cast<std::size_t>(values.size(0)));
  if (!points.empty()) std::memcpy(points.data(), values.data<float>(), values.nbytes());
  write_cloud(file, points);
}

}  // namespace

std::vector<Point> read_cloud(const fs::path& file) {
  const std::vector<std::byte> bytes = read_file(file, kMaxBytes);
  const std::size_t whole = bytes.size() / sizeof(Point), rest = bytes.size() % sizeof(Point);
  if (rest != 0) {
    throw Error(ErrorKind::data, kCloudError,
                std::to_string(bytes.size()) + " bytes: point " + std::to_string(whole) + " has " + std::to_string(rest) + " of its 16",
                "the file was cut, or holds other records: copy it again", file.string());
  }
  if (whole == 0) throw Error(ErrorKind::data, kCloudError, "the file is empty: there is no point 0", "copy it again", file.string());
  std::vector<Point> points(whole);
  std::memcpy(points.data(), bytes.data(), bytes.size());
  require_plausible(points, file, ErrorKind::data);
  return points;
}

void write_cloud(const fs::path& file, std::span<const Point> points) {
  if (points.empty()) throw Error(ErrorKind::usage, kCloudError, "a cloud without points", "there is nothing to write", file.string());
  require_plausible(points, file, ErrorKind::usage);
  write_atomic(file, std::as_bytes(points));
}

FormatEntry velodyne_format() {
  FormatEntry entry;
  entry.name = "velodyne";
  entry.help = "KITTI's point clouds: x, y, z in metres and reflectance, f32, no header";
  entry.extensions = {".bin"};
  entry.sniff = is_cloud;
  entry.read = [](const fs::path& file, const ParamValues&) { return labelled(read_cloud(file)); };
  entry.write = write_labelled;
  return entry;
}

}  // namespace driving_plugin

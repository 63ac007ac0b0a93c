/// Point clouds as KITTI stores them: `.bin`, one record a point of four little-endian f32: x, y, z, reflectance.
///
/// Frame of the sensor: x forward, y to the left, z up, in metres. Reflectance is 0 to 1, without a unit. The file has no header, so all
/// that can be held against it is its size (16 bytes a point) and whether the values can be true.
#pragma once

#include <filesystem>
#include <span>
#include <vector>

namespace driving_plugin {

struct Point {
  float x, y, z;      ///< m
  float reflectance;  ///< 0 to 1
};
static_assert(sizeof(Point) == 16, "a point is its record in the file");

/// Throws driving.velodyne (data), which names the file, the first bad point and what to do: no point, a size that is no multiple of 16,
/// numbers that are not finite, coordinates beyond 1 km, reflectances outside of 0 to 1. Cost: the file's size in memory, twice.
std::vector<Point> read_cloud(const std::filesystem::path& file);

/// Refuses what read_cloud() would not read. At any moment the path holds the old file or all of the new one.
void write_cloud(const std::filesystem::path& file, std::span<const Point> points);

}  // namespace driving_plugin

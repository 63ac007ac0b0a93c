#include "medical/tasks/model_space.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "tenon/error.hpp"

namespace tenon::medical {
namespace {

constexpr double kSameSpacing = 0.05;  // relative difference below which a scan keeps its own voxels

}  // namespace

ModelSpace choose_space(const std::vector<Geometry>& geometries) {
  if (geometries.empty()) throw_usage("choose_space", "no scans");
  std::map<std::string, std::size_t> count;
  for (const auto& g : geometries) ++count[g.orientation()];
  ModelSpace space;
  std::size_t most = 0;
  for (const auto& [codes, n] : count)
    if (n > most) {
      most = n;
      space.orientation = codes;
    }
  std::array<std::vector<double>, 3> values;
  for (const auto& g : geometries) {
    const auto spacing = reorient(g, orientation_to(g, space.orientation)).spacing();
    for (std::size_t a = 0; a < 3; ++a) values[a].push_back(spacing[a]);
  }
  for (std::size_t a = 0; a < 3; ++a) {
    auto& v = values[a];
    std::sort(v.begin(), v.end());
    space.spacing[a] = v.size() % 2 ? v[v.size() / 2] : 0.5 * (v[v.size() / 2 - 1] + v[v.size() / 2]);
  }
  return space;
}

SpacePath path_to(const Geometry& scan, const ModelSpace& space) {
  SpacePath path;
  path.turn = orientation_to(scan, space.orientation);
  const Geometry turned = reorient(scan, path.turn);
  path.turned = {turned.size[2], turned.size[1], turned.size[0]};
  path.size = path.turned;
  const auto spacing = turned.spacing();
  const Size3 resampled = size_at_spacing(turned, space.spacing);
  bool changes = false;
  for (std::size_t a = 0; a < 3; ++a)
    if (std::abs(spacing[a] / space.spacing[a] - 1) > kSameSpacing) {
      path.size[2 - a] = resampled[2 - a];
      changes = true;
    }
  if (changes) {
    path.image_order = anisotropic_order(spacing, space.spacing, 3);
    path.label_order = anisotropic_order(spacing, space.spacing, 1);
  }
  return path;
}

Tensor image_to_model(const Tensor& image, const SpacePath& path) {
  const Tensor turned = reorient(image, path.turn);
  return path.size == path.turned ? turned : resample(turned, path.size, path.image_order);
}

Tensor labels_to_model(const Tensor& labels, const SpacePath& path) {
  const Tensor turned = reorient(labels, path.turn);
  return path.size == path.turned ? turned : resample_labels(turned, path.size, path.label_order);
}

Tensor labels_from_scores(const Tensor& scores, const SpacePath& path) {
  return reorient(resample_argmax(scores, path.turned, path.label_order), path.turn.inverse());
}

}  // namespace tenon::medical

#include "medical/tasks/patch_sampler.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tenon/error.hpp"

namespace tenon::medical {
namespace {

// Streams below a sample's own generator, and places in the spatial one.
enum Stream : std::uint64_t { kSpatial = 1, kIntensity = 2, kNoiseStream = 16 };
enum Place : std::uint64_t { kLabel = 0, kVoxel = 1, kOffset = 2, kRotate = 8, kAngle = 9, kScale = 12, kFactor = 13, kMirror = 16 };
enum LabelPlace : std::uint64_t { kOtherCase = 0, kOtherIndex = 1 };  // in a sample's generator below kShuffleStream
constexpr std::uint64_t kEpochStream = 0x65706f6368;                 // "epoch"
constexpr std::uint64_t kShuffleStream = 0x73687566666c65;           // "shuffle"
constexpr std::uint64_t kManySteps = 1 << 20;

using Matrix = std::array<std::array<double, 3>, 3>;

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix c{};
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j)
      for (std::size_t k = 0; k < 3; ++k) c[i][j] += a[i][k] * b[k][j];
  return c;
}

/// Turn in the plane of axes a and b.
Matrix turn(std::size_t a, std::size_t b, double radians) {
  Matrix m{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  m[a][a] = m[b][b] = std::cos(radians);
  m[a][b] = -std::sin(radians);
  m[b][a] = std::sin(radians);
  return m;
}

/// The `position`-th case of `epoch`'s own order (Fisher-Yates from the end, stopped when the place is settled).
std::size_t shuffled(std::size_t n, std::uint64_t epoch, std::size_t position, const Random& random) {
  const Random r = random.child(kEpochStream).child(epoch);
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  for (std::size_t i = n - 1; i > 0 && i + 1 > position; --i) std::swap(order[i], order[std::size_t(r.below(i, i + 1))]);
  return order[position];
}

}  // namespace

std::vector<std::vector<std::uint32_t>> find_foreground(std::span<const std::uint8_t> labels, int count, std::size_t cap) {
  std::vector<std::vector<std::uint32_t>> found(static_cast<std::size_t>(std::max(count, 1)));
  std::vector<std::size_t> total(found.size(), 0), seen(found.size(), 0);
  for (std::uint8_t v : labels)
    if (v > 0 && v < total.size()) ++total[v];
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::uint8_t v = labels[i];
    if (v == 0 || v >= total.size()) continue;
    const std::size_t k = seen[v]++, keep = std::min(cap, total[v]);
    // Voxel k of `total` is kept where the running count of kept ones steps up: evenly spread, `keep` in all.
    if ((k + 1) * keep / total[v] != k * keep / total[v]) found[v].push_back(std::uint32_t(i));
  }
  return found;
}

PatchSampler::PatchSampler(std::vector<SamplerCase> cases, const PatchSettings& patch, const SpatialSettings& spatial,
                           const IntensitySettings& intensity)
    : cases_(std::move(cases)), patch_(patch), spatial_(spatial), intensity_(intensity) {
  if (cases_.empty()) throw_usage("PatchSampler", "no cases to sample from");
  if (patch_.shuffle_labels && cases_.size() < 2)
    throw_usage("PatchSampler", "the labels of a single case cannot be shuffled", "train on two cases or more");
  for (auto n : patch_.size)
    if (n < 1) throw_usage("PatchSampler", "a patch size is " + std::to_string(n));
  for (const auto& c : cases_)
    if (c.scan.size[0] * c.scan.size[1] * c.scan.size[2] > (std::int64_t(1) << 31) - 1)
      throw_usage("PatchSampler", "a scan of 2^31 voxels or more", "crop or resample it first");
}

std::uint64_t PatchSampler::index_of(std::int64_t step, std::int64_t sample) const {
  return std::uint64_t(step) * std::uint64_t(patch_.batch) + std::uint64_t(sample);
}

std::size_t PatchSampler::case_of(std::uint64_t index, const Random& random) const {
  return shuffled(cases_.size(), index / cases_.size(), std::size_t(index % cases_.size()), random);
}

bool PatchSampler::forces_foreground(std::uint64_t index) const {
  const auto batch = std::uint64_t(patch_.batch), unforced = std::uint64_t(std::llround(double(batch) * (1 - patch_.foreground)));
  if (unforced < batch) return index % batch >= unforced;
  return std::floor(double(index + 1) * patch_.foreground) > std::floor(double(index) * patch_.foreground);
}

PatchDraw PatchSampler::draw(std::int64_t step, std::int64_t sample, const Random& random) const {
  const std::uint64_t index = index_of(step, sample);
  const Random r = random.child(std::uint64_t(step)).child(std::uint64_t(sample));
  return draw_from(case_of(index, random), forces_foreground(index), r.child(kSpatial));
}

PatchDraw PatchSampler::draw_labels(std::int64_t step, std::int64_t sample, const Random& random) const {
  if (!patch_.shuffle_labels) return draw(step, sample, random);
  const Random r = random.child(kShuffleStream).child(std::uint64_t(step)).child(std::uint64_t(sample));
  const std::size_t image = case_of(index_of(step, sample), random);
  const auto other = std::size_t(r.below(kOtherCase, cases_.size() - 1));
  // Whether foreground is forced must not tell of the image either: it is as at another, drawn place of a run.
  const std::uint64_t index = r.below(kOtherIndex, kManySteps * std::uint64_t(patch_.batch));
  return draw_from(other < image ? other : other + 1, forces_foreground(index), r.child(kSpatial));
}

PatchDraw PatchSampler::draw_from(std::size_t which, bool force, const Random& r) const {
  PatchDraw d;
  d.which = which;
  const SamplerCase& c = cases_[d.which];

  std::array<std::int64_t, 3> centre{-1, -1, -1};
  if (force) {
    std::vector<int> present;
    for (std::size_t v = 1; v < c.foreground.size(); ++v)
      if (!c.foreground[v].empty()) present.push_back(int(v));
    if (!present.empty()) {
      d.forced = present[std::size_t(r.below(kLabel, present.size()))];
      const auto& voxels = c.foreground[std::size_t(d.forced)];
      const std::int64_t voxel = voxels[std::size_t(r.below(kVoxel, voxels.size()))];
      const auto [nz, ny, nx] = c.scan.size;
      (void)nz;
      centre = {voxel / (ny * nx), voxel / nx % ny, voxel % nx};
    }
  }
  for (std::size_t a = 0; a < 3; ++a) {
    const std::int64_t spare = c.scan.size[a] - patch_.size[a];
    const auto offset = std::int64_t(r.below(kOffset + a, std::uint64_t(std::abs(spare)) + 1));
    if (spare <= 0)
      d.start[a] = -offset;
    else
      d.start[a] = d.forced ? std::clamp<std::int64_t>(centre[a] - patch_.size[a] / 2, 0, spare) : offset;
  }

  Matrix m{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  if (r.uniform(kRotate) < float(spatial_.rotation.probability)) {
    constexpr double kRadians = 3.14159265358979323846 / 180;
    double angle[3];
    for (std::size_t a = 0; a < 3; ++a)
      angle[a] = kRadians * double(r.uniform(kAngle + a, float(spatial_.rotation.low), float(spatial_.rotation.high)));
    m = product(product(turn(1, 2, angle[0]), turn(0, 2, angle[1])), turn(0, 1, angle[2]));
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t j = 0; j < 3; ++j) m[i][j] *= c.spacing[j] / c.spacing[i];
    d.turned = true;
  }
  if (r.uniform(kScale) < float(spatial_.scale.probability)) {
    const double s = r.uniform(kFactor, float(spatial_.scale.low), float(spatial_.scale.high));
    for (auto& row : m)
      for (double& v : row) v *= s;
    d.turned = true;
  }
  for (int axis : spatial_.mirror)
    if (r.uniform(kMirror + std::uint64_t(axis)) < 0.5f) {
      for (auto& row : m) row[std::size_t(axis)] = -row[std::size_t(axis)];
      d.turned = true;
    }
  // About the patch's centre: source = start + centre + m (patch - centre).
  for (std::size_t i = 0; i < 3; ++i) {
    double shift = double(d.start[i]) + 0.5 * double(patch_.size[i] - 1);
    for (std::size_t j = 0; j < 3; ++j) {
      shift -= m[i][j] * 0.5 * double(patch_.size[j] - 1);
      d.map.matrix[i][j] = float(m[i][j]);
    }
    d.map.shift[i] = float(shift);
  }
  return d;
}

ChannelChange PatchSampler::draw_change(std::int64_t step, std::int64_t sample, int channel, const Random& random) const {
  const Random r = random.child(std::uint64_t(step)).child(std::uint64_t(sample));
  return {draw_intensity(intensity_, r.child(kIntensity).child(std::uint64_t(channel))), r.child(kNoiseStream + std::uint64_t(channel))};
}

/// Image and labels of one draw; either may be null.
void PatchSampler::sample_patch(const PatchDraw& d, float* image, std::uint8_t* labels) const {
  VolumeView scan = cases_[d.which].scan;
  if (!image) scan.channels = 0;
  if (d.turned)
    sample_affine(scan, d.map, patch_.size, image, labels);
  else
    sample_copy(scan, d.start, patch_.size, image, labels);
}

void PatchSampler::fill(std::int64_t step, std::int64_t sample, const Random& random, float* image, std::uint8_t* labels) const {
  const PatchDraw d = draw(step, sample, random);
  sample_patch(d, image, patch_.shuffle_labels ? nullptr : labels);
  if (patch_.shuffle_labels) sample_patch(draw_labels(step, sample, random), nullptr, labels);
  const int channels = cases_[d.which].scan.channels;
  for (int c = 0; c < channels; ++c) {
    const ChannelChange drawn = draw_change(step, sample, c, random);
    apply_intensity(image + c, patch_.size, channels, drawn.change, drawn.noise);
  }
}

void halve_labels(const std::uint8_t* labels, const std::array<std::int64_t, 3>& size, std::uint8_t* out) {
  for (std::int64_t z = 0; z < size[0]; z += 2)
    for (std::int64_t y = 0; y < size[1]; y += 2)
      for (std::int64_t x = 0; x < size[2]; x += 2) *out++ = labels[(z * size[1] + y) * size[2] + x];
}

}  // namespace tenon::medical

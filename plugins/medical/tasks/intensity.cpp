#include "medical/tasks/intensity.hpp"

#include <cmath>
#include <cstdint>

namespace tenon::medical {
namespace {

// Places of the draws in a patch's stream: fixed, so that switching one change off leaves the others' numbers alone.
enum Place : std::uint64_t {
  kNoise = 0,
  kBlur = 2,
  kBrightness = 4,
  kShift = 6,
  kContrast = 8,
  kLowResolution = 10,
  kGamma = 12,
  kInvertedGamma = 14
};

float draw(const Chance& c, const Random& r, std::uint64_t place, float neutral) {
  return r.uniform(place) < float(c.probability) ? r.uniform(place + 1, float(c.low), float(c.high)) : neutral;
}

}  // namespace

IntensityChange draw_intensity(const IntensitySettings& s, const Random& r) {
  IntensityChange d;
  d.noise = std::sqrt(draw(s.noise, r, kNoise, 0));
  d.blur = draw(s.blur, r, kBlur, 0);
  d.brightness = draw(s.brightness, r, kBrightness, 1);
  if (r.uniform(kShift) < float(s.shift.probability)) d.shift = float(s.shift.high) * r.normal(kShift + 1);
  d.contrast = draw(s.contrast, r, kContrast, 1);
  d.low_resolution = draw(s.low_resolution, r, kLowResolution, 1);
  d.gamma = draw(s.gamma, r, kGamma, 1);
  d.inverted_gamma = draw(s.inverted_gamma, r, kInvertedGamma, 1);
  return d;
}

}  // namespace tenon::medical

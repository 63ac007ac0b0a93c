#include "scene.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "classes.hpp"

namespace driving_plugin {
namespace {

using namespace tenon;

constexpr double kDegree = std::numbers::pi / 180;
constexpr double kHalfWidth = 45, kTop = 2, kBottom = -24.8;  // of what the scanner sees, degrees
constexpr double kSunk = 0.3;  // how deep objects stand in the ground, so that no ray passes below them on a slope, m
constexpr double kNever = std::numeric_limits<double>::infinity();

/// A box or an upright cylinder.
struct Object {
  Class kind = Class::ground;
  bool round = false;
  double x = 0, y = 0;                     ///< centre, m
  double half_length = 0, half_width = 0;  ///< of a box; both the radius of a cylinder, m
  double cos_yaw = 1, sin_yaw = 0;
  double height = 0, bottom = 0, top = 0;  ///< above the ground; the last two as z, m
  float reflectance = 0;

  double radius() const { return round ? half_length : std::hypot(half_length, half_width); }
};

struct Street {
  double slope_x = 0, slope_y = 0, height = 0;  ///< ground: z = slope_x x + slope_y y - height
  float reflectance = 0;
  std::vector<Object> objects;

  double ground(double x, double y) const { return slope_x * x + slope_y * y - height; }
};

struct Span {
  double low, high;
};

/// Draws one number after the other of a stream of its own.
class Draw {
 public:
  explicit Draw(const Random& random) : random_(random) {}
  double operator()(Span span) { return span.low + (span.high - span.low) * static_cast<double>(random_.uniform(next_++)); }
  std::int64_t whole(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(random_.below(next_++, static_cast<std::uint64_t>(high - low + 1)));
  }
  bool with_chance(double p) { return (*this)({0, 1}) < p; }

 private:
  Random random_;
  std::uint64_t next_ = 0;
};

/// Sizes are drawn here one after the other: the order in which arguments of a call are made is the compiler's, and a scene must not be.
Object make_box(Draw& draw, Class kind, Span length, Span width, Span height, Span yaw) {
  Object o;
  o.kind = kind;
  o.half_length = draw(length) / 2;
  o.half_width = draw(width) / 2;
  o.height = draw(height);
  const double angle = draw(yaw);
  o.cos_yaw = std::cos(angle);
  o.sin_yaw = std::sin(angle);
  o.reflectance = static_cast<float>(draw({0.1, 0.8}));
  return o;
}

Object make_cylinder(Draw& draw, Class kind, Span radius, Span height) {
  Object o;
  o.kind = kind;
  o.round = true;
  o.half_length = o.half_width = draw(radius);
  o.height = draw(height);
  o.reflectance = static_cast<float>(draw({0.1, 0.8}));
  return o;
}

/// Puts it where it touches neither the scanner nor what stands already; gives it up after some tries, for streets are narrow.
void place(Street& street, Draw& draw, Object o, Span aside) {
  constexpr int kTries = 20;
  constexpr double kAround = 3;  // the scanner's own car, m
  for (int i = 0; i < kTries; ++i) {
    o.x = draw({0, 45});
    o.y = draw(aside);
    if (draw.with_chance(0.5)) o.y = -o.y;
    bool free = std::hypot(o.x, o.y) > kAround + o.radius();
    for (const Object& other : street.objects) free = free && std::hypot(o.x - other.x, o.y - other.y) > 0.1 + o.radius() + other.radius();
    if (!free) continue;
    const double ground = street.ground(o.x, o.y);
    o.bottom = ground - kSunk;
    o.top = ground + o.height;
    street.objects.push_back(o);
    return;
  }
}

Street make_street(const Random& random, double height) {
  Draw draw(random);
  Street street;
  street.height = height;
  street.slope_x = std::tan(draw({-1, 1}) * kDegree);
  street.slope_y = std::tan(draw({-1, 1}) * kDegree);
  street.reflectance = static_cast<float>(draw({0.1, 0.3}));
  // The largest first: they find no room later. Walls, hedges, vehicles, bushes, poles, people.
  for (std::int64_t n = draw.whole(1, 4); n > 0; --n)
    place(street, draw, make_box(draw, Class::structure, {5, 15}, {0.3, 0.5}, {1.8, 5}, {-0.1, 0.1}), {13, 19});
  for (std::int64_t n = draw.whole(1, 4); n > 0; --n)
    place(street, draw, make_box(draw, Class::structure, {2, 6}, {0.6, 1.2}, {0.8, 2}, {-0.1, 0.1}), {6, 13});
  for (std::int64_t n = draw.whole(3, 8); n > 0; --n) {
    const bool van = draw.with_chance(0.2), crossing = draw.with_chance(0.2);
    const double along = crossing ? std::numbers::pi / 2 : 0;
    const Span yaw{along - 0.15, along + 0.15};
    place(street, draw,
          van ? make_box(draw, Class::vehicle, {5, 6.5}, {1.9, 2.1}, {2, 2.6}, yaw)
              : make_box(draw, Class::vehicle, {3.6, 4.8}, {1.6, 1.9}, {1.4, 1.7}, yaw),
          {0, 9});
  }
  for (std::int64_t n = draw.whole(3, 9); n > 0; --n)
    place(street, draw, make_cylinder(draw, Class::structure, {0.3, 0.9}, {0.6, 2}), {6, 18});
  for (std::int64_t n = draw.whole(4, 10); n > 0; --n)
    place(street, draw, make_cylinder(draw, Class::pole, {0.05, 0.15}, {2.5, 7}), {4, 14});
  for (std::int64_t n = draw.whole(4, 12); n > 0; --n)
    place(street, draw, make_cylinder(draw, Class::pedestrian, {0.2, 0.35}, {1.5, 1.95}), {0, 14});
  return street;
}

/// Distance along the ray (dx, dy, dz) of length 1 from the origin to where it enters the box; kNever where it passes by. Slabs of Kay and
/// Kajiya (1986), in the frame of the box.
double distance_to_box(const Object& o, double dx, double dy, double dz) {
  const std::array<double, 3> from{-(o.cos_yaw * o.x + o.sin_yaw * o.y), o.sin_yaw * o.x - o.cos_yaw * o.y, 0};
  const std::array<double, 3> along{o.cos_yaw * dx + o.sin_yaw * dy, o.cos_yaw * dy - o.sin_yaw * dx, dz};
  const std::array<double, 3> low{-o.half_length, -o.half_width, o.bottom}, high{o.half_length, o.half_width, o.top};
  double enter = 0, leave = kNever;
  for (std::size_t a = 0; a < 3; ++a) {
    const double t0 = (low[a] - from[a]) / along[a], t1 = (high[a] - from[a]) / along[a];
    enter = std::max(enter, std::min(t0, t1));
    leave = std::min(leave, std::max(t0, t1));
  }
  return enter <= leave && enter > 0 ? enter : kNever;
}

/// The same for the side of an upright cylinder. Cylinders have no lid: from above the scanner sees none of those that hide something.
double distance_to_cylinder(const Object& o, double dx, double dy, double dz) {
  const double a = dx * dx + dy * dy, b = dx * o.x + dy * o.y, c = o.x * o.x + o.y * o.y - o.half_length * o.half_length;
  const double root = b * b - a * c;
  if (root < 0) return kNever;
  const double t = (b - std::sqrt(root)) / a, z = t * dz;
  return t > 0 && z >= o.bottom && z <= o.top ? t : kNever;
}

}  // namespace

std::vector<Param> scanner_params() {
  return {integer_param("beams", 64, "beams of the scanner, from 2 degrees above the horizon to 24.8 below", 2, 256),
          real_param("azimuth_step", 0.4, "between rays of a beam, which looks 90 degrees wide", 0.05, 10, "degrees"),
          real_param("range_noise", 0.02, "standard deviation of a range", 0, 1, "m"),
          real_param("lost", 0.05, "share of rays that do not come back", 0, 0.99)};
}

Scanner scanner_of(const ParamValues& values) {
  Scanner scanner;
  scanner.beams = values.integer("beams");
  scanner.step = values.real("azimuth_step");
  scanner.range_noise = values.real("range_noise");
  scanner.lost = values.real("lost");
  return scanner;
}

Scene simulate(const Scanner& scanner, const Random& random) {
  const Street street = make_street(random.child(0), scanner.height);
  const Random noise = random.child(1);
  const auto columns = static_cast<std::int64_t>(2 * kHalfWidth / scanner.step);

  // Which objects a column of rays can meet: those whose circle it crosses.
  std::vector<std::vector<const Object*>> ahead(static_cast<std::size_t>(columns));
  const auto azimuth_of = [&](std::int64_t column) { return (-kHalfWidth + (static_cast<double>(column) + 0.5) * scanner.step) * kDegree; };
  for (std::int64_t c = 0; c < columns; ++c) {
    const double dx = std::cos(azimuth_of(c)), dy = std::sin(azimuth_of(c));
    for (const Object& o : street.objects)
      if (std::abs(dx * o.y - dy * o.x) <= o.radius() && dx * o.x + dy * o.y > 0) ahead[static_cast<std::size_t>(c)].push_back(&o);
  }

  Scene scene;
  for (std::int64_t beam = 0; beam < scanner.beams; ++beam) {
    const double elevation = (kTop + (kBottom - kTop) * static_cast<double>(beam) / static_cast<double>(scanner.beams - 1)) * kDegree;
    for (std::int64_t c = 0; c < columns; ++c) {
      const double dx = std::cos(elevation) * std::cos(azimuth_of(c)), dy = std::cos(elevation) * std::sin(azimuth_of(c)),
                   dz = std::sin(elevation);
      const double fall = street.slope_x * dx + street.slope_y * dy - dz;  // of the ray towards the ground, for each metre
      double nearest = fall > 0 ? street.height / fall : kNever;
      Class kind = Class::ground;
      float reflectance = street.reflectance;
      for (const Object* o : ahead[static_cast<std::size_t>(c)]) {
        const double distance = o->round ? distance_to_cylinder(*o, dx, dy, dz) : distance_to_box(*o, dx, dy, dz);
        if (distance >= nearest) continue;
        nearest = distance;
        kind = o->kind;
        reflectance = o->reflectance;
      }
      if (!(nearest < scanner.farthest)) continue;
      // One block of random bits a ray: two words make its normal number, the others are its loss and the noise of its reflectance.
      const auto bits = noise.bits(static_cast<std::uint64_t>(beam * columns + c));
      if (static_cast<double>(uniform_from_bits(bits[2])) < scanner.lost) continue;
      const double u = (static_cast<double>(bits[0]) + 0.5) / 4294967296.0, v = static_cast<double>(bits[1]) / 4294967296.0;
      const double range = nearest + scanner.range_noise * std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
      const float wobble = 0.2f * (uniform_from_bits(bits[3]) - 0.5f);
      scene.points.push_back({static_cast<float>(range * dx), static_cast<float>(range * dy), static_cast<float>(range * dz),
                              std::clamp(reflectance + wobble, 0.0f, 1.0f)});
      scene.classes.push_back(static_cast<std::uint8_t>(kind));
    }
  }
  return scene;
}

}  // namespace driving_plugin

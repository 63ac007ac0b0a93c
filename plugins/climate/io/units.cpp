#include "climate/io/units.hpp"

#include <fmt/format.h>
#include <udunits2.h>

#include <array>
#include <cctype>
#include <cmath>
#include <map>
#include <memory>
#include <mutex>

#include "tenon/error.hpp"

namespace tenon::climate {
namespace {

struct FreeUnit {
  void operator()(ut_unit* u) const { ut_free(u); }
};
using Unit = std::unique_ptr<ut_unit, FreeUnit>;

ut_system* units() {
  static ut_system* const system = [] {
    ut_set_error_message_handler(ut_ignore);
    return ut_read_xml(nullptr);
  }();
  if (!system) throw Error(ErrorKind::data, "climate.units", "udunits2 has no database of units", "install libudunits2-data");
  return system;
}

Unit parse(const std::string& text) {
  static const std::map<std::string, std::string> kSpelt = {{"Celsius_scale", "degC"}, {"degreesC", "degC"}, {"deg C", "degC"}, {"gpm", "m"},
                                                            {"degrees_C", "degC"},     {"mm/day", "mm d-1"}, {"degK", "K"},  {"deg K", "K"}};
  auto spelt = kSpelt.find(text);
  const std::string& wanted = spelt == kSpelt.end() ? text : spelt->second;
  Unit unit(ut_parse(units(), wanted.c_str(), UT_UTF8));
  if (!unit) throw Error(ErrorKind::data, "climate.units", fmt::format("the unit '{}' is not known", text), "mend the attribute units");
  return unit;
}

}  // namespace

namespace {

std::mutex& units_lock() {
  static std::mutex lock;
  return lock;
}

}  // namespace

std::optional<double> degrees_in(const std::string& unit) {
  std::lock_guard hold(units_lock());
  const Unit degree = parse("degree");
  const Unit parsed(ut_parse(units(), unit.c_str(), UT_UTF8));
  if (!parsed) {
    std::string low;
    for (unsigned char c : unit)
      if (c != ' ' || !low.empty()) low += char(std::tolower(c));
    return low.rfind("deg", 0) == 0 ? std::optional<double>(1) : std::nullopt;
  }
  // In base units an angle is some number of radians, to the first power.
  std::array<char, 128> text{};
  const int n = ut_format(parsed.get(), text.data(), text.size(), UT_ASCII | UT_DEFINITION);
  const std::string base(text.data(), n > 0 && std::size_t(n) < text.size() ? std::size_t(n) : 0);
  if (base != "rad" && !(base.size() > 4 && base.compare(base.size() - 4, 4, " rad") == 0 && base.find_first_not_of("0123456789.eE+- ") == base.size() - 3)) return {};
  std::unique_ptr<cv_converter, void (*)(cv_converter*)> c(ut_get_converter(parsed.get(), degree.get()), cv_free);
  if (!c) return {};
  const double degrees = cv_convert_double(c.get(), 1.0);
  return std::abs(degrees - 1) < 1e-12 ? 1 : degrees;  // nothing is to be changed by a last bit
}

UnitConversion unit_conversion(const std::string& from, const std::string& to) {
  if (from == to) return {};
  std::lock_guard hold(units_lock());
  const Unit a = parse(from), b = parse(to);
  std::unique_ptr<cv_converter, void (*)(cv_converter*)> c(ut_get_converter(a.get(), b.get()), cv_free);
  if (!c) throw Error(ErrorKind::data, "climate.units", fmt::format("'{}' and '{}' do not measure the same", from, to), "give files of one quantity");
  const double offset = cv_convert_double(c.get(), 0.0);
  return {cv_convert_double(c.get(), 1.0) - offset, offset};
}

}  // namespace tenon::climate

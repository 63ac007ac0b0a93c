#include "climate/io/units.hpp"

#include <fmt/format.h>
#include <udunits2.h>

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

UnitConversion unit_conversion(const std::string& from, const std::string& to) {
  if (from == to) return {};
  static std::mutex lock;
  std::lock_guard hold(lock);
  const Unit a = parse(from), b = parse(to);
  std::unique_ptr<cv_converter, void (*)(cv_converter*)> c(ut_get_converter(a.get(), b.get()), cv_free);
  if (!c) throw Error(ErrorKind::data, "climate.units", fmt::format("'{}' and '{}' do not measure the same", from, to), "give files of one quantity");
  const double offset = cv_convert_double(c.get(), 0.0);
  return {cv_convert_double(c.get(), 1.0) - offset, offset};
}

}  // namespace tenon::climate

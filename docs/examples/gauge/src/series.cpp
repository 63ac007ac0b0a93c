/// A gauge's series: a header, then a record a time step, all little-endian.
///
///     "GAUGE1\0\0"   8 bytes
///     i64 start      seconds since 1970-01-01 UTC
///     i64 step       seconds, 1 or more
///     u64 count      records that follow
///     f32 level (m), f32 flow (m3 s-1)    a record; NaN where one is missing
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "gauge.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace gauge_plugin {
namespace {

using namespace tenon;
namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "records are read as they lie in memory");

constexpr const char* kSeriesError = "gauge.series";
constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;  // bounded before anything is read

struct Header {
  std::array<char, 8> magic;
  std::int64_t start, step;
  std::uint64_t count;
};
constexpr Header kEmpty{{'G', 'A', 'U', 'G', 'E', '1', 0, 0}, 0, 1, 0};

/// By the first bytes: names lie.
bool is_series(const fs::path&, std::span<const std::byte> head) {
  return head.size() >= sizeof kEmpty.magic && std::memcmp(head.data(), kEmpty.magic.data(), sizeof kEmpty.magic) == 0;
}

LabelledArray read_series(const fs::path& file, const ParamValues&) {
  const std::vector<std::byte> bytes = read_file(file, kMaxBytes);
  const auto refuse = [&](const std::string& what, const std::string& remedy) {
    throw Error(ErrorKind::data, kSeriesError, what, remedy, file.string());
  };
  Header header = kEmpty;
  if (!is_series(file, bytes)) refuse("it does not begin with GAUGE1", "is it a gauge's series?");
  if (bytes.size() < sizeof header) refuse("the header ends at byte " + std::to_string(bytes.size()), "it was cut: copy it again");
  std::memcpy(&header, bytes.data(), sizeof header);
  const std::size_t rest = bytes.size() - sizeof header;
  // A count is held against the bytes that are there before it takes memory.
  if (header.count > rest / 8 || header.count * 8 != rest) {
    refuse("the header says " + std::to_string(header.count) + " records, " + std::to_string(rest) + " bytes follow it",
           "a record has 8 bytes: copy the file again");
  }
  if (header.count == 0) refuse("it holds no record", "leave it out");
  constexpr std::int64_t kFar = std::int64_t{1} << 40;  // seconds; what lies beyond would not fit in microseconds
  const auto n = static_cast<std::int64_t>(header.count);
  if (header.step < 1 || header.step > kFar / n || header.start < -kFar || header.start > kFar)
    refuse("it starts at " + std::to_string(header.start) + " s in steps of " + std::to_string(header.step), "correct the header");

  LabelledArray series;
  series.name = "gauge";
  series.values = Tensor::empty(Shape{n, 2}, DType::f32, kCpu);
  series.values.copy_from_host(bytes.data() + sizeof header, rest);
  const std::span<const float> values = series.values.span<float>();
  for (std::size_t i = 0; i < values.size(); ++i)
    if (std::isinf(values[i]))
      refuse("record " + std::to_string(i / 2) + " holds an infinite value", "write NaN for what was not measured");

  Axis time;  // moments in whole numbers; `coordinates` and `unit` say the same as the field writes it
  time.name = "time";
  time.unit = "seconds since 1970-01-01";
  time.time = TimeCoordinates{"standard", {}};
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t at = header.start + i * header.step;
    time.coordinates.push_back(static_cast<double>(at));
    time.time->ticks.push_back(at * 1'000'000);
  }
  // An axis has one unit. Where its positions are different quantities, their names are its labels and their units an attribute.
  Axis quantity;
  quantity.name = "quantity";
  quantity.coordinates = {0, 1};
  quantity.labels = {"level", "flow"};
  quantity.attributes["units"] = "m, m3 s-1";
  series.axes = {time, quantity};
  return series;
}

void write_series(const fs::path& file, const LabelledArray& series, const ParamValues&) {
  const bool fits = series.values.defined() && series.values.rank() == 2 && series.values.size(1) == 2 && series.values.size(0) > 0 &&
                    series.axes.size() == 2 && series.axes[0].time && series.axes[0].time->calendar == "standard";
  if (!fits) {
    throw Error(ErrorKind::usage, kSeriesError, "a series is [time, 2] with an axis of moments",
                "give it level and flow along its second axis", file.string());
  }
  const std::vector<std::int64_t>& ticks = series.axes[0].time->ticks;
  Header header = kEmpty;
  header.count = ticks.size();
  header.start = ticks.front() / 1'000'000;
  header.step = ticks.size() > 1 ? (ticks[1] - ticks[0]) / 1'000'000 : 1;
  for (std::size_t i = 0; i < ticks.size(); ++i)
    if (header.step < 1 || ticks[i] != (header.start + static_cast<std::int64_t>(i) * header.step) * 1'000'000)
      throw Error(ErrorKind::data, kSeriesError, "moment " + std::to_string(i) + " is not a whole step from the first", "resample it first",
                  file.string());
  const Tensor values = series.values.to(kCpu).to(DType::f32).contiguous();
  AtomicFile out(file);  // at any moment the path holds the old file or all of the new one
  out.write(&header, sizeof header);
  out.write(values.data<float>(), values.nbytes());
  out.commit();
}

}  // namespace

FormatEntry series_format() {
  FormatEntry entry;
  entry.name = "series";
  entry.help = "level and flow of a river gauge at steady steps";
  entry.extensions = {".gauge"};
  entry.sniff = is_series;
  entry.read = read_series;
  entry.write = write_series;
  return entry;
}

}  // namespace gauge_plugin

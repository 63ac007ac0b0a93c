/// Which rows are long enough for a library's call each.
#include "backend/cuda/long_rows.hpp"

#include <cstdlib>
#include <limits>
#include <string>

#include "tenon/error.hpp"

namespace tenon::cuda {
namespace {

// A call has launches of its own, whatever the row's length: for a sort two a digit and four more, for a sum two. Ours take all rows with
// three a digit, and with three a sum. So a single row costs no more launches there (of four digits or more) and goes there as soon as it
// has more than a few blocks of records. Of several rows each must be worth its launches: what is not read a second time, 24 bytes a record
// of four digits or 8 a number, takes longer than they do for rows of a few million. Reckoned, not measured.
constexpr std::int64_t kSingleRow = std::int64_t(1) << 16, kEachRow = std::int64_t(1) << 22;
constexpr std::int64_t kSingleLine = std::int64_t(1) << 14, kEachLine = std::int64_t(1) << 22;

bool long_enough(LongRows wanted, std::int64_t rows, std::int64_t n, std::int64_t single, std::int64_t each) {
  if (wanted != LongRows::by_size) return wanted == LongRows::library;
  return n >= (rows == 1 ? single : each);
}

}  // namespace

LongRows wanted_long_rows() {
  const char* given = std::getenv("TENON_CUB");
  const std::string text = given ? given : "";
  if (text.empty()) return LongRows::by_size;
  if (text == "none") return LongRows::ours;
  if (text != "always") throw_usage("TENON_CUB", "\"" + text + "\" says nothing", "none, always, or leave it out");
  return LongRows::library;
}

bool library_sorts(LongRows wanted, std::int64_t rows, std::int64_t n, const std::vector<int>& shifts) {
  // one digit is read and written as often by ours; digits apart would be a call each
  if (shifts.size() < 2 || shifts.back() - shifts.front() != 8 * int(shifts.size() - 1)) return false;
  return n <= std::numeric_limits<std::uint32_t>::max() && long_enough(wanted, rows, n, kSingleRow, kEachRow);
}

bool library_sums(LongRows wanted, std::int64_t lines, std::int64_t n) {
  return n <= std::numeric_limits<std::int32_t>::max() && long_enough(wanted, lines, n, kSingleLine, kEachLine);
}

}  // namespace tenon::cuda

#include "climate/tools/statistics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "tenon/kernel.hpp"

namespace tenon::climate {
namespace {

constexpr std::int64_t kBlock = 1 << 15;
constexpr std::array<double, 12> kSentinels = {-999, -9999, -99999, -999999, -99, -99.9, -999.9, -999.99, -9999.9, 9999, 99999, 999999};

/// What writers put for "nothing": the figures above, and powers of ten that no quantity reaches.
bool is_sentinel(double x) {
  if (std::abs(x) >= 1e19) return true;
  const double nearest = std::round(x * 100) / 100;
  return std::abs(x - nearest) <= 1e-6 * std::abs(x) && std::find(kSentinels.begin(), kSentinels.end(), nearest) != kSentinels.end();
}

struct Partial {
  double low = std::numeric_limits<double>::infinity(), high = -low, sum = 0;
  double plain_low = low, plain_high = -low;  ///< without sentinels
  std::int64_t missing = 0, infinite = 0;
  std::vector<std::pair<double, std::int64_t>> sentinels;
};

}  // namespace

Statistics statistics_of(const Tensor& values) {
  const Tensor v = values.to(DType::f64).contiguous();
  const double* x = v.numel() ? v.data<double>() : nullptr;
  const std::int64_t n = v.numel(), blocks = (n + kBlock - 1) / kBlock;
  std::vector<Partial> parts(static_cast<std::size_t>(blocks));
  parallel_for(blocks, [&](std::int64_t b) {
    Partial& p = parts[std::size_t(b)];
    for (std::int64_t i = b * kBlock; i < std::min(n, (b + 1) * kBlock); ++i) {
      if (std::isnan(x[i])) {
        ++p.missing;
        continue;
      }
      if (std::isinf(x[i])) {
        ++p.infinite;
        continue;
      }
      p.low = std::min(p.low, x[i]);
      p.high = std::max(p.high, x[i]);
      p.sum += x[i];
      if ((x[i] <= -99 || x[i] >= 9999) && is_sentinel(x[i])) {
        auto found = std::find_if(p.sentinels.begin(), p.sentinels.end(), [&](const auto& s) { return s.first == x[i]; });
        if (found != p.sentinels.end()) ++found->second;
        else if (p.sentinels.size() < 16) p.sentinels.emplace_back(x[i], 1);
      } else {
        p.plain_low = std::min(p.plain_low, x[i]);
        p.plain_high = std::max(p.plain_high, x[i]);
      }
    }
  });
  Partial all;
  for (const auto& p : parts) {
    all.low = std::min(all.low, p.low);
    all.high = std::max(all.high, p.high);
    all.plain_low = std::min(all.plain_low, p.plain_low);
    all.plain_high = std::max(all.plain_high, p.plain_high);
    all.sum += p.sum;
    all.missing += p.missing;
    all.infinite += p.infinite;
    for (const auto& s : p.sentinels) {
      auto found = std::find_if(all.sentinels.begin(), all.sentinels.end(), [&](const auto& t) { return t.first == s.first; });
      if (found != all.sentinels.end()) found->second += s.second;
      else all.sentinels.push_back(s);
    }
  }
  Statistics out;
  out.values = n;
  out.missing = all.missing;
  out.infinite = all.infinite;
  const double nothing = std::numeric_limits<double>::quiet_NaN();
  const std::int64_t finite = n - all.missing - all.infinite;
  const bool empty = finite == 0;
  out.minimum = empty ? nothing : all.low;
  out.maximum = empty ? nothing : all.high;
  out.mean = empty ? nothing : all.sum / double(finite);
  const double spread = all.plain_high - all.plain_low;
  for (const auto& s : all.sentinels)
    if (all.plain_low <= all.plain_high && (s.first < all.plain_low - spread || s.first > all.plain_high + spread)) out.suspects.push_back(s);
  std::sort(out.suspects.begin(), out.suspects.end());
  return out;
}

}  // namespace tenon::climate

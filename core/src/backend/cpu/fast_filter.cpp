#include "backend/cpu/fast_filter.hpp"

namespace tenon::cpu {
namespace {

/// One level: x [2 rows + 1, channels] -> xo, xe - xo, xe shifted - xo, each [rows, channels], `apart` from each other.
void split_once(const float* x, std::int64_t rows, std::int64_t channels, float* to, std::int64_t apart) {
  for (std::int64_t j = 0; j < rows; ++j, x += 2 * channels, to += channels) {
    const float *even = x, *odd = x + channels, *next = odd + channels;
    float* __restrict p = to;
    float* __restrict q0 = to + apart;
    float* __restrict q1 = to + 2 * apart;
    for (std::int64_t c = 0; c < channels; ++c) {
      const float o = odd[c];
      p[c] = o;
      q0[c] = even[c] - o;
      q1[c] = next[c] - o;
    }
  }
}

}  // namespace

FastFilter::FastFilter(int levels) : levels_(levels), members_{{0}}, parts_{{0}} {
  for (int level = 0; level < levels; ++level) {
    // A new level is the innermost: phase = outer phase + outer phases * inner phase, product = 3 outer product + inner product.
    const std::int64_t outer = phases();
    std::vector<std::vector<std::int64_t>> members, parts(std::size_t(2 * outer));
    for (const auto& before : members_)
      for (int digit = 0; digit < 3; ++digit) {
        std::vector<std::int64_t> sum;
        for (std::int64_t phase : before)
          for (std::int64_t inner = 0; inner < 2; ++inner)
            if (digit == 0 || digit == inner + 1) sum.push_back(phase + outer * inner);
        members.push_back(sum);
      }
    for (std::int64_t phase = 0; phase < 2 * outer; ++phase)
      for (std::int64_t before : parts_[std::size_t(phase % outer)])
        for (std::int64_t digit : {std::int64_t(0), 1 + phase / outer}) parts[std::size_t(phase)].push_back(3 * before + digit);
    members_ = members;
    parts_ = parts;
  }
}

std::int64_t FastFilter::spread(std::int64_t rows) const {
  for (int level = 0; level < levels_; ++level) rows = 2 * rows + 1;
  return rows;
}

void FastFilter::split(const float* x, std::int64_t rows, std::int64_t channels, float* to, std::int64_t apart, float* scratch) const {
  if (levels_ == 1) return split_once(x, rows, channels, to, apart);
  const std::int64_t middle = 2 * rows + 1;
  split_once(x, middle, channels, scratch, middle * channels);
  for (std::int64_t d = 0; d < 3; ++d) split_once(scratch + d * middle * channels, rows, channels, to + 3 * d * apart, apart);
}

}  // namespace tenon::cpu

#include "genomics/tasks/logos.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "tenon/autograd.hpp"
#include "tenon/conv_codes.hpp"
#include "tenon/io/png.hpp"
#include "tenon/kernel.hpp"

namespace tenon::genomics {
namespace {

constexpr std::int64_t kSequences = 2000;  ///< that windows are looked for in
constexpr std::size_t kShown = 12;
constexpr int kColumn = 28, kHeight = 120, kMargin = 4, kSamples = 4;  // pixels; samples a pixel's side
using Colour = std::array<double, 3>;
constexpr Colour kInk[4] = {{16, 150, 72}, {37, 92, 153}, {247, 179, 43}, {214, 40, 57}};  // the usual green, blue, orange, red

/// Whether (u, v) of the unit square, v downwards, lies in the letter.
bool inside(int letter, double u, double v) {
  const double x = std::abs(u - 0.5);
  switch (letter) {
    case 0: {
      const double wide = 0.1 + 0.4 * v;
      return x <= wide && (x >= wide - 0.19 || (v >= 0.56 && v <= 0.72));
    }
    case 3: return v <= 0.18 || x <= 0.1;
    default: {  // C, and G with its bar
      const double dx = u - 0.5, dy = v - 0.5;
      const bool ring = dx * dx / 0.25 + dy * dy / 0.25 <= 1 && dx * dx / (0.3 * 0.3) + dy * dy / (0.33 * 0.33) >= 1;
      if (letter == 1) return ring && !(u > 0.55 && std::abs(dy) < 0.17);
      const bool bar = (u >= 0.52 && u <= 0.98 && v >= 0.5 && v <= 0.65) || (u >= 0.79 && u <= 0.98 && v >= 0.5 && v <= 0.85);
      return bar || (ring && !(u > 0.55 && v > 0.33 && v < 0.5));
    }
  }
}

struct Canvas {
  int width, height;
  std::vector<std::uint8_t> rgb;
  Canvas(int w, int h) : width(w), height(h), rgb(std::size_t(w) * std::size_t(h) * 3, 255) {}
  void blend(int x, int y, const Colour& ink, double share) {
    std::uint8_t* p = rgb.data() + (std::size_t(y) * std::size_t(width) + std::size_t(x)) * 3;
    for (std::size_t k = 0; k < 3; ++k) p[k] = std::uint8_t(std::lround(share * ink[k] + (1 - share) * p[k]));
  }
};

/// The letter stretched over [left, left + width) x [top, bottom), edges smoothed.
void draw_letter(Canvas& canvas, int letter, double left, double width, double top, double bottom) {
  if (bottom - top < 0.25) return;
  for (int y = std::max(0, int(top)); y < std::min(canvas.height, int(std::ceil(bottom))); ++y)
    for (int x = int(left); x < int(std::ceil(left + width)); ++x) {
      int hit = 0;
      for (int sy = 0; sy < kSamples; ++sy)
        for (int sx = 0; sx < kSamples; ++sx) {
          const double u = (x + (sx + 0.5) / kSamples - left) / width, v = (y + (sy + 0.5) / kSamples - top) / (bottom - top);
          hit += u >= 0 && u < 1 && v >= 0 && v < 1 && inside(letter, u, v);
        }
      if (hit) canvas.blend(x, y, kInk[letter], double(hit) / (kSamples * kSamples));
    }
}

struct Windows {
  Motif motif;
  std::vector<std::int64_t> rows;  ///< sequence of each window
};

std::vector<Windows> find_windows(const SequenceNet& net, const Tensor& codes_given, std::int64_t least) {
  NoGrad none;
  const Tensor codes = codes_given.narrow(0, 0, std::min(kSequences, codes_given.size(0))).contiguous();
  const Tensor weight = net.letters().weight.detach().to(kCpu);
  const std::int64_t filters = weight.size(0), taps = weight.size(1), n = codes.size(0), length = codes.size(1);
  if (length < taps) return {};
  const Tensor answers = conv_codes(codes, weight);  // windows that lie inside; the bias moves all alike
  const float* a = answers.data<float>();
  const std::uint8_t* c = codes.data<std::uint8_t>();
  const std::int64_t places = length - taps + 1;
  std::vector<Windows> all(static_cast<std::size_t>(filters));
  parallel_for(filters, [&](std::int64_t f) {
    Windows& w = all[std::size_t(f)];
    w.motif.filter = f;
    float top = 0;
    for (std::int64_t i = 0; i < n * places; ++i) top = std::max(top, a[i * filters + f]);
    std::vector<std::array<double, 4>> counts(std::size_t(taps), {0, 0, 0, 0});
    for (std::int64_t i = 0; top > 0 && i < n * places; ++i) {
      if (a[i * filters + f] <= 0.5f * top) continue;
      const std::uint8_t* window = c + i / places * length + i % places;
      if (std::any_of(window, window + taps, [](std::uint8_t v) { return v > 3; })) continue;
      for (std::int64_t k = 0; k < taps; ++k) counts[std::size_t(k)][window[k]] += 1;
      w.rows.push_back(i / places);
    }
    w.motif.sites = std::int64_t(w.rows.size());
    for (const auto& at : counts) {
      std::array<double, 4> share{};
      double bits = 2 - 3 / (2 * std::log(2.0) * double(std::max<std::int64_t>(1, w.motif.sites)));
      for (std::size_t v = 0; v < 4; ++v) {
        share[v] = w.motif.sites ? at[v] / double(w.motif.sites) : 0.25;
        if (share[v] > 0) bits += share[v] * std::log2(share[v]);
      }
      w.motif.frequency.push_back(share);
      w.motif.bits.push_back(std::max(0.0, bits));
    }
  });
  std::erase_if(all, [&](const Windows& w) { return w.motif.sites < least; });
  std::stable_sort(all.begin(), all.end(), [](const Windows& x, const Windows& y) { return x.motif.total() > y.motif.total(); });
  return all;
}

}  // namespace

double Motif::total() const {
  double sum = 0;
  for (double b : bits) sum += b;
  return sum;
}

std::string Motif::consensus() const {
  std::string text;
  for (std::size_t k = 0; k < bits.size(); ++k) {
    const auto best = std::size_t(std::max_element(frequency[k].begin(), frequency[k].end()) - frequency[k].begin());
    text += bits[k] >= 1 ? "ACGT"[best] : bits[k] >= 0.25 ? "acgt"[best] : '.';
  }
  return text;
}

std::vector<Motif> filter_motifs(const SequenceNet& net, const Tensor& codes, std::int64_t least) {
  std::vector<Motif> motifs;
  for (auto& w : find_windows(net, codes, least)) motifs.push_back(std::move(w.motif));
  return motifs;
}

Picture draw_logo(const Motif& motif) {
  Canvas canvas(int(motif.bits.size()) * kColumn + 2 * kMargin, kHeight + 2 * kMargin);
  const Colour grey{205, 205, 205};
  for (double level : {0.0, 1.0, 2.0})
    for (int x = kMargin; x < canvas.width - kMargin; ++x) canvas.blend(x, kMargin + int(kHeight * (1 - level / 2)), grey, 1);
  for (std::size_t k = 0; k < motif.bits.size(); ++k) {
    std::array<int, 4> order{0, 1, 2, 3};
    std::stable_sort(order.begin(), order.end(), [&](int i, int j) { return motif.frequency[k][std::size_t(i)] < motif.frequency[k][std::size_t(j)]; });
    double bottom = kMargin + kHeight;
    for (int letter : order) {
      const double high = motif.frequency[k][std::size_t(letter)] * motif.bits[k] / 2 * kHeight;
      draw_letter(canvas, letter, double(kMargin + int(k) * kColumn) + 1, kColumn - 2, bottom - high, bottom);
      bottom -= high;
    }
  }
  char caption[160];
  std::snprintf(caption, sizeof caption, "filter %lld: %s, %.1f bits in %lld windows", static_cast<long long>(motif.filter), motif.consensus().c_str(),
                motif.total(), static_cast<long long>(motif.sites));
  return {caption, encode_png(canvas.rgb, canvas.width, canvas.height, 3)};
}

std::vector<Picture> filter_logos(const SequenceNet& net, const Tensor& codes, std::span<const std::int64_t> truth, const std::vector<std::string>& classes) {
  std::vector<Picture> pictures;
  std::vector<double> there(classes.size(), 0);
  for (std::size_t i = 0; i < std::min(truth.size(), std::size_t(kSequences)); ++i) there[std::size_t(truth[i])] += 1;
  for (const auto& w : find_windows(net, codes, 10)) {
    if (pictures.size() == kShown) break;
    std::vector<double> rate(classes.size(), 0);
    for (auto row : w.rows) rate[std::size_t(truth[std::size_t(row)])] += 1;
    for (std::size_t k = 0; k < rate.size(); ++k) rate[k] = there[k] > 0 ? rate[k] / there[k] : 0;
    const auto most = std::size_t(std::max_element(rate.begin(), rate.end()) - rate.begin());
    Picture p = draw_logo(w.motif);
    char text[120];
    std::snprintf(text, sizeof text, "; most often in %s: %.2f a sequence", classes[most].c_str(), rate[most]);
    p.caption += text;
    pictures.push_back(std::move(p));
  }
  return pictures;
}

}  // namespace tenon::genomics

#include "backend/cpu/fft/fft.hpp"

#include <algorithm>

#include "backend/cpu/ceil_div.hpp"
#include "backend/cpu/fft/fft_long.hpp"
#include "backend/cpu/fft/fft_loops.hpp"
#include "backend/cpu/onednn.hpp"
#include "tenon/kernel.hpp"

namespace tenon::cpu {

FftProgram::~FftProgram() = default;

namespace {

constexpr std::int64_t kValuesATask = 8192;
constexpr std::int64_t kLongLine = 16384;  ///< beyond it one line at a time, cut, beats many side by side

/// Many lines, a vector's lanes at a time; real ones in pairs.
template <class T>
class Lines final : public FftProgram {
 public:
  explicit Lines(const FftGeometry& g) : g_(g), tables_(FftTables<T>::of(g.n)), loops_(fft_loops<T>()) {
    width_ = loops_.lanes * (g.kind == FftKind::complex ? 1 : 2);
    beside_ = g.inner >= width_;
    groups_ = beside_ ? g.outer * ceil_div(g.inner, width_) : ceil_div(g.outer * g.inner, width_);
    const bool spectrum = g.kind == FftKind::real_inverse || (g.kind == FftKind::complex && g.inverse);
    values_ = spectrum ? g.kept() : g.n;
    value_bytes_ = std::int64_t(sizeof(T)) * (g.kind == FftKind::real_forward ? 1 : 2);
  }

  void run(const void* in, void* out, void*, double scale) const override {
    const FftLine<T>& line = tables_->line();
    const std::int64_t values = line.buffer() * 2 * loops_.lanes;
    auto source = static_cast<const T*>(in);
    auto target = static_cast<T*>(out);
    parallel_blocks(groups_, std::max<std::int64_t>(1, kValuesATask / (g_.n * width_)), [&](std::int64_t begin, std::int64_t end) {
      auto a = static_cast<T*>(thread_scratch(std::size_t(2 * values) * sizeof(T))), b = a + values;
      for (std::int64_t i = begin; i < end; ++i) {
        if (i + 1 < end) fetch(source, i + 1);
        if (g_.kind == FftKind::complex) {
          if (g_.inverse) {
            load_kept(source, lanes(i, g_.kept(), 2), a);
            loops_.store(loops_.line(line, a, b), g_.n, T(scale), true, lanes(i, g_.n, 2), target);
          } else {
            loops_.load(source, lanes(i, g_.n, 2), g_.n, false, a);
            store_kept(loops_.line(line, a, b), T(scale), lanes(i, g_.kept(), 2), target);
          }
        } else if (g_.kind == FftKind::real_forward) {
          loops_.load_real(source, lanes(i, g_.n, 1), g_.n, a);
          loops_.store_spectra(loops_.line(line, a, b), g_.n, g_.kept(), T(scale), T(g_.interior), lanes(i, g_.kept(), 2), target);
        } else {
          loops_.load_spectra(source, lanes(i, g_.kept(), 2), g_.n, g_.kept(), T(g_.interior), a);
          loops_.store_real(loops_.line(line, a, b), g_.n, T(scale), true, lanes(i, g_.n, 1), target);
        }
      }
    });
  }

  std::string describe() const override {
    std::string what = std::to_string(groups_) + " groups of " + std::to_string(width_) + " lines";
    const FftLine<T>& line = tables_->line();
    if (line.convolution) return what + ", Bluestein of " + std::to_string(line.convolution->n);
    for (int i = 0; i < line.passes; ++i) what += (i ? " x " : ", ") + std::to_string(line.pass[i].radix);
    return what;
  }

 private:
  /// Group i on its way to the second cache while the one before is computed: pieces of columns defeat the hardware's prefetcher.
  void fetch(const T* source, std::int64_t i) const {
    auto from = reinterpret_cast<const char*>(source);
    if (!beside_) return;  // complex rows fetch those of the next group as they are read and written; real ones gain nothing from it
    const std::int64_t row = g_.inner * value_bytes_, per_outer = ceil_div(g_.inner, width_);
    from += i / per_outer * values_ * row + i % per_outer * width_ * value_bytes_;
    for (std::int64_t j = 0; j < values_; ++j) __builtin_prefetch(from + j * row, 0, 2);
  }

  static void advance(FftLanes& m, std::int64_t values) {
    const int set = m.layout == FftLanes::Layout::packed || m.layout == FftLanes::Layout::beside ? 1 : m.lines;
    for (int l = 0; l < set; ++l) m.at[std::size_t(l)] += values * m.element;
  }

  /// The spectrum's first and last values into a buffer, zeros between.
  void load_kept(const T* source, FftLanes&& m, T* to) const {
    const std::int64_t value = 2 * loops_.lanes, first = g_.first();
    loops_.load(source, m, first, true, to);
    std::fill(to + first * value, to + (g_.n - g_.high) * value, T(0));
    if (g_.high == 0) return;
    advance(m, first);
    loops_.load(source, m, g_.high, true, to + (g_.n - g_.high) * value);
  }
  void store_kept(const T* from, T scale, FftLanes&& m, T* target) const {
    const std::int64_t value = 2 * loops_.lanes, first = g_.first();
    loops_.store(from, first, scale, false, m, target);
    if (g_.high == 0) return;
    advance(m, first);
    loops_.store(from + (g_.n - g_.high) * value, g_.high, scale, false, m, target);
  }

  /// Group i of the lines of `count` values of `unit` scalars.
  FftLanes lanes(std::int64_t i, std::int64_t count, std::int64_t unit) const {
    FftLanes m;
    m.element = g_.inner * unit;
    const std::int64_t per_outer = beside_ ? ceil_div(g_.inner, width_) : 1;
    const std::int64_t first = beside_ ? i / per_outer * g_.inner + i % per_outer * width_ : i * width_;
    const std::int64_t end = beside_ ? (i / per_outer + 1) * g_.inner : g_.outer * g_.inner;
    m.lines = int(std::min<std::int64_t>(width_, end - first));
    m.unit = int(unit);
    std::int64_t row = first / g_.inner * count * g_.inner, column = first % g_.inner;
    if (beside_) {
      m.layout = m.lines == width_ ? FftLanes::Layout::packed : FftLanes::Layout::beside;
      m.at[0] = (row + column) * unit;
      return m;
    }
    for (int l = 0; l < m.lines; ++l, ++column) {
      if (column == g_.inner) row += count * g_.inner, column = 0;
      m.at[std::size_t(l)] = (row + column) * unit;
    }
    if (m.lines == width_ && g_.inner == 1) m.layout = FftLanes::Layout::rows;
    return m;
  }

  FftGeometry g_;
  std::shared_ptr<const FftTables<T>> tables_;
  const FftLoops<T>& loops_;
  int width_;
  bool beside_;  ///< lanes of a group lie side by side within one outer index
  std::int64_t groups_;
  std::int64_t values_, value_bytes_;  ///< of a line to be read
};

/// Few long contiguous lines, each cut into a matrix.
template <class T>
class Long final : public FftProgram {
 public:
  Long(const FftGeometry& g, std::shared_ptr<const FftLong<T>> plan) : g_(g), plan_(std::move(plan)) {
    workspace_bytes_ = std::size_t(plan_->workspace()) * sizeof(T);
  }
  void run(const void* in, void* out, void* workspace, double scale) const override {
    for (std::int64_t o = 0; o < g_.outer; ++o)
      plan_->run(static_cast<const T*>(in) + o * 2 * g_.n, static_cast<T*>(out) + o * 2 * g_.n, static_cast<T*>(workspace), g_.inverse,
                 T(scale));
  }
  std::string describe() const override { return plan_->describe(); }

 private:
  FftGeometry g_;
  std::shared_ptr<const FftLong<T>> plan_;
};

/// Few long contiguous real lines of even size: a complex transform of half the size over even and odd values.
template <class T>
class LongReal final : public FftProgram {
 public:
  LongReal(const FftGeometry& g, std::shared_ptr<const FftLong<T>> plan) : g_(g), half_(g.n / 2), plan_(std::move(plan)) {
    static OfSize<std::vector<T>, 8> made;
    turns_ = made.get(g.n, [this, &g] {
      const UnitRoots root(g.n);
      std::vector<std::complex<double>> turns;
      for (std::int64_t k = 0; k <= half_ / 2; ++k) turns.push_back(root(k));
      return std::make_shared<const std::vector<T>>(interleaved<T>(turns));
    });
    workspace_bytes_ = std::size_t(plan_->workspace() + 2 * half_) * sizeof(T);
  }

  void run(const void* in, void* out, void* workspace, double scale) const override {
    auto space = static_cast<T*>(workspace);
    for (std::int64_t o = 0; o < g_.outer; ++o) {
      if (g_.kind == FftKind::real_forward) {
        T* spectrum = static_cast<T*>(out) + o * 2 * g_.whole();
        plan_->run(static_cast<const T*>(in) + o * g_.n, spectrum, space, false, T(scale));
        untangle(spectrum);
      } else {
        tangle(static_cast<const T*>(in) + o * 2 * g_.whole(), space);
        plan_->run(space, static_cast<T*>(out) + o * g_.n, space + 2 * half_, true, T(scale));
      }
    }
  }
  std::string describe() const override { return "half of a real line, " + plan_->describe(); }

 private:
  /// body(begin, end) over the values that have a mirror, in tasks.
  template <class Body>
  void pairs(const Body& body) const {
    parallel_blocks(half_ / 2 + 1, kValuesATask, body);
  }
  void untangle(T* z) const {
    pairs([&](std::int64_t begin, std::int64_t end) { fft_loops<T>().untangle_half(z, half_, turns_->data(), T(g_.interior), begin, end); });
  }
  void tangle(const T* x, T* z) const {
    pairs([&](std::int64_t begin, std::int64_t end) { fft_loops<T>().tangle_half(x, z, half_, turns_->data(), T(g_.interior), begin, end); });
  }

  FftGeometry g_;
  std::int64_t half_;
  std::shared_ptr<const FftLong<T>> plan_;
  std::shared_ptr<const std::vector<T>> turns_;
};

template <class T>
std::shared_ptr<const FftProgram> make(const FftGeometry& g) {
  const int lanes = fft_loops<T>().lanes;
  const bool few = g.outer < (g.kind == FftKind::complex ? lanes : 2 * lanes) || g.n > kLongLine;
  if (g.inner == 1 && few && !g.pruned()) {
    if (g.kind == FftKind::complex) {
      if (auto plan = FftLong<T>::of(g.n)) return std::make_shared<Long<T>>(g, plan);
    } else if (g.n % 2 == 0) {
      if (auto plan = FftLong<T>::of(g.n / 2)) return std::make_shared<LongReal<T>>(g, plan);
    }
  }
  return std::make_shared<Lines<T>>(g);
}

}  // namespace

std::shared_ptr<const FftProgram> make_fft(const FftGeometry& g) {
  return g.scalar == DType::f64 ? make<double>(g) : make<float>(g);
}

}  // namespace tenon::cpu

#include "backend/cpu/fft/fft_long.hpp"

#include <algorithm>

#include "backend/cpu/ceil_div.hpp"
#include "backend/cpu/fft/fft_loops.hpp"
#include "backend/cpu/onednn.hpp"
#include "tenon/kernel.hpp"

namespace tenon::cpu {
namespace {

constexpr std::int64_t kFewestValues = 512;
constexpr std::int64_t kValuesATask = 16384;

/// Rows and columns: both hold a vector, the columns whole vectors where that can be, and they are near each other. {0, 0}: none.
std::pair<std::int64_t, std::int64_t> cut(std::int64_t n, int lanes) {
  std::pair<std::int64_t, std::int64_t> best{0, 0};
  double least = 0;
  for (std::int64_t rows = lanes; rows <= n / lanes; ++rows) {
    if (n % rows != 0) continue;
    const std::int64_t columns = n / rows;
    double cost = double(rows + columns);
    if (columns % lanes != 0) cost *= 1.5;
    if (rows % lanes != 0) cost *= 1.5;
    if (!is_smooth(rows) || !is_smooth(columns)) cost *= 4;
    if (best.first == 0 || cost < least) best = {rows, columns}, least = cost;
  }
  return best;
}

}  // namespace

template <class T>
std::shared_ptr<const FftLong<T>> FftLong<T>::of(std::int64_t n) {
  if (n < kFewestValues) return nullptr;
  static OfSize<FftLong, 8> made;  // few: a table is as large as the line
  return made.get(n, [n] { return make(n); });
}

template <class T>
std::shared_ptr<const FftLong<T>> FftLong<T>::make(std::int64_t n) {
  const int lanes = fft_loops<T>().lanes;
  auto made = std::make_shared<FftLong>();
  made->n_ = n;
  auto [rows, columns] = cut(n, lanes);
  if (rows > 0 && is_smooth(n)) {
    made->rows_ = rows;
    made->columns_ = columns;
    made->row_ = FftTables<T>::of(columns);
    made->column_ = FftTables<T>::of(rows);
    made->turns_.resize(std::size_t(2 * n));
    const UnitRoots root(n);
    parallel_blocks(rows, std::max<std::int64_t>(1, kValuesATask / columns), [&, columns = columns](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r)
        for (std::int64_t c = 0; c < columns; ++c) {
          const auto w = root(r * c);  // r c < n
          made->turns_[std::size_t(2 * (r * columns + c))] = T(w.real());
          made->turns_[std::size_t(2 * (r * columns + c) + 1)] = T(w.imag());
        }
    });
    made->workspace_ = 2 * n;
    return made;
  }
  if (is_smooth(n)) return nullptr;
  const std::int64_t size = smooth_size(2 * n - 1);
  made->convolution_ = of(size);
  if (!made->convolution_) return nullptr;
  auto chirp = fft_chirp(n);
  made->kernel_ = interleaved<T>(fft_chirp_kernel(chirp, size));
  made->chirp_ = interleaved<T>(chirp);
  made->workspace_ = 2 * size + made->convolution_->workspace_;
  return made;
}

template <class T>
void FftLong<T>::run(const T* in, T* out, T* workspace, bool swap, T scale) const {
  const FftLoops<T>& loops = fft_loops<T>();
  const int lanes = loops.lanes;
  if (convolution_) {
    const std::int64_t size = convolution_->n_;
    T* a = workspace;
    auto times = [](const T* x, const T* w, T* y) {
      T re = x[0] * w[0] - x[1] * w[1], im = x[1] * w[0] + x[0] * w[1];
      y[0] = re, y[1] = im;
    };
    auto over = [&](std::int64_t count, auto&& body) {
      parallel_blocks(count, kValuesATask, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t j = begin; j < end; ++j) body(j);
      });
    };
    over(size, [&](std::int64_t j) {
      T v[2] = {0, 0};
      if (j < n_) {
        const T x[2] = {in[2 * j + (swap ? 1 : 0)], in[2 * j + (swap ? 0 : 1)]};
        times(x, &chirp_[std::size_t(2 * j)], v);
      }
      a[2 * j] = v[0], a[2 * j + 1] = v[1];
    });
    convolution_->run(a, a, workspace + 2 * size, false, 1);
    over(size, [&](std::int64_t j) { times(a + 2 * j, &kernel_[std::size_t(2 * j)], a + 2 * j); });
    convolution_->run(a, a, workspace + 2 * size, false, 1);
    over(n_, [&](std::int64_t k) {
      T v[2];
      times(a + 2 * (k ? size - k : 0), &chirp_[std::size_t(2 * k)], v);
      out[2 * k + (swap ? 1 : 0)] = v[0] * scale, out[2 * k + (swap ? 0 : 1)] = v[1] * scale;
    });
    return;
  }
  T* between = workspace;
  auto in_groups = [&](std::int64_t lines, const FftLine<T>& line, auto&& body) {
    const std::int64_t values = line.buffer() * 2 * lanes;
    parallel_blocks(ceil_div(lines, lanes), std::max<std::int64_t>(1, kValuesATask / (line.n * lanes)), [&](std::int64_t begin, std::int64_t end) {
      auto a = static_cast<T*>(thread_scratch(std::size_t(2 * values) * sizeof(T)));
      for (std::int64_t g = begin; g < end; ++g) body(g * lanes, int(std::min<std::int64_t>(lanes, lines - g * lanes)), a, a + values);
    });
  };
  auto group = [&](std::int64_t first, int lines, std::int64_t element, std::int64_t lane, FftLanes::Layout full) {
    FftLanes m;
    m.layout = lines == lanes ? full : FftLanes::Layout::any;
    m.lines = lines;
    m.element = element;
    for (int l = 0; l < lines; ++l) m.at[std::size_t(l)] = first + l * lane;
    return m;
  };
  in_groups(columns_, column_->line(), [&](std::int64_t c, int lines, T* a, T* b) {
    FftLanes m = group(2 * c, lines, 2 * columns_, 2, FftLanes::Layout::packed);
    loops.load(in, m, rows_, swap, a);
    T* result = loops.line(column_->line(), a, b);
    loops.turn(result, rows_, turns_.data() + 2 * c, 2 * columns_, lines);
    loops.store(result, rows_, 1, false, m, between);
  });
  in_groups(rows_, row_->line(), [&](std::int64_t r, int lines, T* a, T* b) {
    loops.load(between, group(2 * r * columns_, lines, 2, 2 * columns_, FftLanes::Layout::rows), columns_, false, a);
    T* result = loops.line(row_->line(), a, b);
    loops.store(result, columns_, scale, swap, group(2 * r, lines, 2 * rows_, 2, FftLanes::Layout::packed), out);
  });
}

template <class T>
std::string FftLong<T>::describe() const {
  return convolution_ ? "Bluestein of " + std::to_string(convolution_->n_) + ", " + convolution_->describe()
                      : std::to_string(rows_) + " x " + std::to_string(columns_);
}

template class FftLong<float>;
template class FftLong<double>;

}  // namespace tenon::cpu

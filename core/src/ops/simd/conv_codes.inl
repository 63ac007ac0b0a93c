// Rows of a table added up by letters, one sample at a time; see ops/conv_codes_kernels.hpp.
#include "kernels/vec.inl"
#include "ops/conv_codes_kernels.hpp"

namespace tenon::TENON_ISA {

/// First and last tap of a position that lie within the sequence.
inline std::int64_t first_tap(const CodeRows& p, std::int64_t l) { return l < p.padding ? p.padding - l : 0; }
inline std::int64_t end_tap(const CodeRows& p, std::int64_t l) {
  const std::int64_t left = p.length + p.padding - l;
  return left < p.kernel ? left : p.kernel;
}

/// Channels [c, c + M N) of all positions of a sample: the part of the table that is read stays in the first cache.
template <class T>
struct AddCodes {
  template <int M, int N>
  static void run(std::int64_t c, const CodeRows* p, const T* table, const std::uint8_t* codes, const T* bias, T* y) {
    const std::int64_t row = p->channels, tap = p->letters * row;
    for (std::int64_t l = 0; l < p->positions(); ++l) {
      Vec<T, N> sum[M] = {};
      if (bias)
        for (int m = 0; m < M; ++m) sum[m] = load<N>(bias + c + m * N);
      const std::int64_t first = first_tap(*p, l), end = end_tap(*p, l);
      const std::uint8_t* code = codes + l - p->padding;
      for (std::int64_t k = first; k < end; ++k) {
        if (code[k] >= p->letters) continue;
        const T* from = table + k * tap + code[k] * row + c;
        for (int m = 0; m < M; ++m) sum[m] += load<N>(from + m * N);
      }
      for (int m = 0; m < M; ++m) store<N>(y + l * row + c + m * N, sum[m]);
    }
  }
};

template <class T>
void add_codes(const CodeRows& p, const T* table, const std::uint8_t* codes, const T* bias, T* y) {
  channel_blocks<T, AddCodes<T>>(p.channels, &p, table, codes, bias, y);
}

/// The same backwards: what each position's gradient adds to the rows of its letters.
template <class T>
struct AddGradients {
  template <int M, int N>
  static void run(std::int64_t c, const CodeRows* p, const T* d_y, const std::uint8_t* codes, T* d_table) {
    const std::int64_t row = p->channels, tap = p->letters * row;
    for (std::int64_t l = 0; l < p->positions(); ++l) {
      Vec<T, N> d[M];
      for (int m = 0; m < M; ++m) d[m] = load<N>(d_y + l * row + c + m * N);
      const std::int64_t first = first_tap(*p, l), end = end_tap(*p, l);
      const std::uint8_t* code = codes + l - p->padding;
      for (std::int64_t k = first; k < end; ++k) {
        if (code[k] >= p->letters) continue;
        T* to = d_table + k * tap + code[k] * row + c;
        for (int m = 0; m < M; ++m) store<N>(to + m * N, Vec<T, N>(load<N>(to + m * N) + d[m]));
      }
    }
  }
};

template <class T>
void add_code_gradients(const CodeRows& p, const T* d_y, const std::uint8_t* codes, T* d_table) {
  channel_blocks<T, AddGradients<T>>(p.channels, &p, d_y, codes, d_table);
}

}  // namespace tenon::TENON_ISA

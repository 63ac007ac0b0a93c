/// conv_codes on the device: a thread is one channel of one position; gradients are summed without atomics, a block a tap and a piece of
/// samples, pieces then added in order.
#include <algorithm>

#include "backend/cuda/columns.cuh"
#include "backend/cuda/install.hpp"
#include "ops/conv_codes_kernels.hpp"

namespace tenon::cuda {
namespace {

struct CodeCut {
  std::int64_t samples, length, kernel, letters, channels, padding, positions, piece;
  bool bias;
  explicit CodeCut(const CodeRows& p)
      : samples(p.samples), length(p.length), kernel(p.kernel), letters(p.letters), channels(p.channels), padding(p.padding),
        positions(p.positions()), piece(p.piece()), bias(p.bias) {}
};

template <class T>
__global__ void add_codes(CodeCut p, const T* table, const unsigned char* codes, const T* bias, T* y) {
  const std::int64_t i = std::int64_t(blockIdx.x) * kBlock + int(threadIdx.x);
  if (i >= p.samples * p.positions * p.channels) return;
  const std::int64_t c = i % p.channels, at = i / p.channels, l = at % p.positions, n = at / p.positions;
  const unsigned char* code = codes + n * p.length + l - p.padding;
  const std::int64_t first = l < p.padding ? p.padding - l : 0, left = p.length + p.padding - l, end = left < p.kernel ? left : p.kernel;
  T sum = p.bias ? bias[c] : T(0);
  for (std::int64_t k = first; k < end; ++k)
    if (code[k] < p.letters) sum += table[(k * p.letters + code[k]) * p.channels + c];
  y[i] = sum;
}

constexpr int kColumns = 32, kRows = kBlock / kColumns, kSharedBytes = 48 << 10;

/// parts: [pieces, kernel, letters, channels]. Each of the block's threads sums its own positions by letter in shared memory; then the
/// threads of a column are added in order.
template <class T>
__global__ void sum_by_letter(CodeCut p, int rows, unsigned column_tiles, const T* d_y, const unsigned char* codes, T* parts) {
  T* sums = dynamic_shared<T>();  // [rows, letters, kColumns]
  unsigned block = blockIdx.x;
  const std::int64_t tile = block % column_tiles;
  block /= column_tiles;
  const std::int64_t k = block % p.kernel, piece = block / p.kernel;
  const int lane = int(threadIdx.x) % kColumns, row = int(threadIdx.x) / kColumns, letters = int(p.letters);
  const std::int64_t c = tile * kColumns + lane;
  T* mine = sums + row * letters * kColumns + lane;
  for (int v = 0; v < letters; ++v) mine[v * kColumns] = T(0);
  const std::int64_t first = piece * p.piece, end = first + p.piece < p.samples ? first + p.piece : p.samples;
  if (c < p.channels)
    for (std::int64_t at = first * p.positions + row; at < end * p.positions; at += rows) {
      const std::int64_t n = at / p.positions, j = at % p.positions + k - p.padding;
      if (j < 0 || j >= p.length) continue;
      const int code = codes[n * p.length + j];
      if (code < letters) mine[code * kColumns] += d_y[at * p.channels + c];
    }
  __syncthreads();
  if (c < p.channels)
    for (int v = row; v < letters; v += rows) {
      T sum = T(0);
      for (int r = 0; r < rows; ++r) sum += sums[(r * letters + v) * kColumns + lane];
      parts[((piece * p.kernel + k) * p.letters + v) * p.channels + c] = sum;
    }
}

template <class T>
Kernel make_forward(const CodeRows& p) {
  return [cut = CodeCut(p)](void* const* o) {
    const std::int64_t all = cut.samples * cut.positions * cut.channels;
    start("conv_codes", dim3(grid_blocks((all + kBlock - 1) / kBlock)), dim3(kBlock), 0, add_codes<T>, cut, static_cast<const T*>(o[0]),
          static_cast<const unsigned char*>(o[1]), static_cast<const T*>(o[2]), static_cast<T*>(o[3]));
  };
}

template <class T>
Kernel make_gradient(const CodeRows& p) {
  return [p, cut = CodeCut(p)](void* const* o) {
    T *d_table = static_cast<T*>(o[2]), *parts = static_cast<T*>(o[3]);
    if (p.table() == 0) return;
    const std::int64_t row_bytes = p.letters * kColumns * std::int64_t(sizeof(T)), column_tiles = (p.channels + kColumns - 1) / kColumns;
    const int rows = int(std::clamp<std::int64_t>(kSharedBytes / row_bytes, 1, kRows));
    start("conv_codes_gradient", dim3(grid_blocks(p.pieces() * p.kernel * column_tiles)), dim3(unsigned(rows * kColumns)),
          std::size_t(rows) * std::size_t(row_bytes), sum_by_letter<T>, cut, rows, unsigned(column_tiles), static_cast<const T*>(o[0]),
          static_cast<const unsigned char*>(o[1]), parts);
    fold_rows<T>("conv_codes_gradient_fold", parts, 1, p.pieces(), p.table());
    check(cudaMemcpyAsync(d_table, parts, std::size_t(p.table()) * sizeof(T), cudaMemcpyDeviceToDevice, stream()), "cudaMemcpyAsync");
  };
}

}  // namespace

void install_conv_codes() {
  conv_codes_kernel.set(DeviceType::cuda, [](const CodeRows& p) { return p.dtype == DType::f64 ? make_forward<double>(p) : make_forward<float>(p); });
  conv_codes_gradient_kernel.set(DeviceType::cuda,
                                 [](const CodeRows& p) { return p.dtype == DType::f64 ? make_gradient<double>(p) : make_gradient<float>(p); });
}

}  // namespace tenon::cuda

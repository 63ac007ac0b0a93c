/// One long contiguous transform, cut so that all lanes and threads have work (private).
#pragma once

#include <memory>
#include <vector>

#include "backend/cpu/fft/fft_tables.hpp"

namespace tenon::cpu {

/// n = rows * columns: transforms of the columns, a turn of each value, transforms of the rows, each many lines at once
/// (Bailey's four steps, 1990; the transpositions happen on the way between memory and buffers). A size without such factors goes by Bluestein's chirp.
template <class T>
class TENON_API FftLong {
 public:
  /// One of the last sizes', or made. Null where cutting does not pay: n is short, or has no two factors of a vector's width.
  static std::shared_ptr<const FftLong> of(std::int64_t n);
  std::int64_t workspace() const { return workspace_; }  ///< scalars
  /// `in` and `out` [n] complex may be the same. `swap` makes it the inverse.
  void run(const T* in, T* out, T* workspace, bool swap, T scale) const;
  std::string describe() const;

 private:
  static std::shared_ptr<const FftLong> make(std::int64_t n);

  std::int64_t n_ = 0, rows_ = 0, columns_ = 0, workspace_ = 0;
  std::shared_ptr<const FftTables<T>> row_, column_;
  std::vector<T> turns_;  ///< [rows][columns] complex
  std::shared_ptr<const FftLong> convolution_;
  std::vector<T> chirp_, kernel_;
};

}  // namespace tenon::cpu

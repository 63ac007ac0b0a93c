/// The loops of this CPU's instruction set (private).
#pragma once

#include "backend/cpu/fft/fft_line.hpp"

namespace tenon::cpu {

template <class T>
struct FftLoops {
  int lanes;
  T* (*line)(const FftLine<T>&, T* a, T* b);
  void (*load)(const T*, const FftLanes&, std::int64_t n, bool swap, T*);
  void (*store)(const T*, std::int64_t n, T scale, bool swap, const FftLanes&, T*);
  void (*load_real)(const T*, const FftLanes&, std::int64_t n, T*);
  void (*store_real)(const T*, std::int64_t n, T scale, bool swap, const FftLanes&, T*);
  void (*load_spectra)(const T*, const FftLanes&, std::int64_t n, std::int64_t count, T interior, T*);
  void (*store_spectra)(const T*, std::int64_t n, std::int64_t count, T scale, T interior, const FftLanes&, T*);
  void (*turn)(T*, std::int64_t n, const T* table, std::int64_t row, int lines);
  void (*untangle_half)(T*, std::int64_t half, const T* turns, T interior, std::int64_t begin, std::int64_t end);
  void (*tangle_half)(const T*, T*, std::int64_t half, const T* turns, T interior, std::int64_t begin, std::int64_t end);
};

template <class T>
const FftLoops<T>& fft_loops();

}  // namespace tenon::cpu

#include "backend/cpu/fft/fft_loops.hpp"

#define TENON_ISA_FILE "backend/cpu/simd/fft.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon::cpu {

template <class T>
const FftLoops<T>& fft_loops() {
  static const FftLoops<T> loops{isa_level() == 2 ? isa_avx512::kFftLanes<T> : isa_level() == 1 ? isa_avx2::kFftLanes<T> : isa_base::kFftLanes<T>,
                                 TENON_BY_ISA(fft_line<T>),
                                 TENON_BY_ISA(fft_load<T>),
                                 TENON_BY_ISA(fft_store<T>),
                                 TENON_BY_ISA(fft_load_real<T>),
                                 TENON_BY_ISA(fft_store_real<T>),
                                 TENON_BY_ISA(fft_load_spectra<T>),
                                 TENON_BY_ISA(fft_store_spectra<T>),
                                 TENON_BY_ISA(fft_turn<T>),
                                 TENON_BY_ISA(fft_untangle_half<T>),
                                 TENON_BY_ISA(fft_tangle_half<T>)};
  return loops;
}
template const FftLoops<float>& fft_loops();
template const FftLoops<double>& fft_loops();

}  // namespace tenon::cpu

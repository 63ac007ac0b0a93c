/// Each ops/<op>.cu fills the CUDA column of its op's kernel slots through one of these (private).
#pragma once

namespace tenon::cuda {

void install_copy();
void install_elementwise();
void install_reduce();
void install_matmul();
void install_fft();
void install_fft_library();  ///< after install_fft: cuFFT where it is faster
void install_mode_product();
void install_linalg();
void install_linalg_library();  ///< after install_linalg: cuSOLVER for large matrices

}  // namespace tenon::cuda

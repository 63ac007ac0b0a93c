/// Each ops/<op>.cu fills the CUDA column of its op's kernel slots through one of these (private).
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace tenon::cuda {

void install_graph();
void install_batch_feed();
void install_copy();
void install_elementwise();
void install_chain();
void install_casts();
void install_reduce();
void install_matmul();
void install_feed_forward();
void install_optimisers();
void install_adafactor();
void install_norm();
void install_norm_gradient();
void install_row_norm();
void install_row_norm_cudnn();  ///< after install_row_norm: takes over what cuDNN does better, where it is
void install_softmax();
void install_label_loss();
void install_label_loss_gradient();
void install_mse();
void install_dropout();
void install_embedding();
void install_conv_codes();
void install_pool();
void install_patches();
void install_intensity();
void install_resize();
void install_elementwise_unary();
void install_shape();
void install_arrange();
void install_padding();
void install_windows();
void install_confusion();
void install_error_sums();
void install_ranked_scores();
void install_index();
void install_scatter_add();
void install_random();
void install_sampling();
void install_cumulative();
void install_masking();
void install_ordering();
void install_search();
void install_recurrent();
void install_recurrent_cudnn();  ///< whole layers by cuDNN where that is faster, where it is
void install_attention();
void install_attention_mma();    ///< after install_attention: tensor cores for the sizes that suit them
void install_attention_cudnn();  ///< after install_attention_mma: takes over what cuDNN does better, where it is
void install_batch_product();
void install_fft();
void install_fft_library();  ///< after install_fft: cuFFT where it is faster
void install_mode_product();
void install_linalg();
void install_linalg_library();  ///< after install_linalg: cuSOLVER for large matrices
void install_conv();
void install_conv_cudnn();  ///< after install_conv: takes over what cuDNN does better, where it is

void install_nvtx();  ///< ranges of steps and ops for NVIDIA's profilers

/// NVIDIA's libraries that compute here, name and version: cuDNN where it could be loaded. Needs no device.
std::vector<std::pair<std::string, std::string>> library_versions();

/// One line a convolution, attention, recurrent layer, norm of rows, transform or product with an activation of this process: what makes it, and in what time or why.
std::vector<std::string> choices_made();

}  // namespace tenon::cuda

/// Each ops/<op>.cu fills the CUDA column of its op's kernel slots through one of these (private).
#pragma once

#include <string>
#include <vector>

namespace tenon::cuda {

void install_copy();
void install_elementwise();
void install_reduce();
void install_matmul();
void install_conv();
void install_conv_cudnn();  ///< after install_conv: takes over what cuDNN does better, where it is

/// One line a convolution of this process: what makes it, in what time.
std::vector<std::string> conv_choices();

}  // namespace tenon::cuda

/// Each ops/<op>.cu fills the CUDA column of its op's kernel slots through one of these (private).
#pragma once

namespace tenon::cuda {

void install_copy();
void install_elementwise();
void install_reduce();
void install_matmul();
void install_recurrent();
void install_attention();
void install_attention_mma();
void install_batch_product();

}  // namespace tenon::cuda

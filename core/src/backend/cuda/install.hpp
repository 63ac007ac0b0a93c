/// Each ops/<op>.cu fills the CUDA column of its op's kernel slots through one of these (private).
#pragma once

namespace tenon::cuda {

void install_copy();
void install_elementwise();
void install_reduce();
void install_matmul();
void install_norm();
void install_norm_gradient();
void install_row_norm();
void install_softmax();
void install_label_loss();
void install_label_loss_gradient();
void install_mse();
void install_dropout();
void install_embedding();
void install_pool();
void install_resize();

}  // namespace tenon::cuda

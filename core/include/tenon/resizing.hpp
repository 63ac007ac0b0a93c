/// Resizing by name of the method (ops.hpp has plain nearest and linear), and moving values between channels and space.
///
/// x is [N, spatial..., C] with 1 to 3 spatial axes, of any floating type; results keep it. Differentiable any number of times: the
/// gradient is the exact transpose. Stateless. Separable: one pass an axis that changes.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tenon/tensor.hpp"

namespace tenon {

enum class ResizeMode {
  nearest,  ///< the voxel whose cell holds the centre (PyTorch's nearest-exact)
  linear,
  cubic,        ///< Keys' kernel with a = -0.75, as PyTorch and OpenCV
  catmull_rom,  ///< Keys' kernel with a = -0.5: third order, exact for quadratics (Keys, IEEE Trans. ASSP 29, 1981)
  area,         ///< mean over the cell, the bins of adaptive_avg_pool
};
/// "nearest", "linear", "cubic", "catmull_rom" or "area"; throws a usage error that names those nearest.
TENON_API ResizeMode resize_mode(std::string_view name);

struct ResizeOptions {
  ResizeMode mode = ResizeMode::linear;
  /// The centres of the corner voxels are kept: src = dst (in - 1) / (out - 1). Else cells are: src = (dst + 0.5) in / out - 0.5.
  bool align_corners = false;
  /// As PyTorch and Pillow: where an axis shrinks, linear and cubic kernels are stretched to the output's spacing; at the edges they are cut
  /// off and their sum made 1; either cubic kernel has a = -1/2.
  bool antialias = false;
};

/// x to `size` (one value a spatial axis). Cubic kernels read the edge's value beyond the edge. align_corners is for linear and cubic
/// kernels, and not together with antialias: usage errors else.
TENON_API Tensor resize(const Tensor& x, const std::vector<std::int64_t>& size, const ResizeOptions& options);

/// [N, s..., f1 ... fk C] -> [N, s1 f1, ..., sk fk, C] (pixel shuffle; Shi et al., CVPR 2016). The channels hold the factors first, C
/// innermost, as ONNX's DepthToSpace in mode DCR: runs of C stay together. One factor a spatial axis.
TENON_API Tensor depth_to_space(const Tensor& x, const std::vector<std::int64_t>& factors);
/// Its inverse: [N, s1 f1, ..., sk fk, C] -> [N, s..., f1 ... fk C].
TENON_API Tensor space_to_depth(const Tensor& x, const std::vector<std::int64_t>& factors);

}  // namespace tenon

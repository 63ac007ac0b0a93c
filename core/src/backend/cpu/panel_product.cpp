#include "backend/cpu/panel_product.hpp"

#define TENON_ISA_FILE "backend/cpu/simd/panel_product.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon::cpu {

PanelProductLoops panel_product_loops() {
  return TENON_BY_ISA(panel_product);
}

}  // namespace tenon::cpu

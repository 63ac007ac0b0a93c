#include "backend/cpu/small_product.hpp"

#define TENON_ISA_FILE "backend/cpu/simd/small_product.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon::cpu {

template <>
const SmallProducts<float>& small_products() {
  static const SmallProducts<float> f{*TENON_BY_ISA(kPanelColumns<float>), TENON_BY_ISA(pack_panels<float>),
                                      TENON_BY_ISA(small_product<float>)};
  return f;
}

/// f64 is there to check gradients with: the plain build alone.
template <>
const SmallProducts<double>& small_products() {
  static const SmallProducts<double> f{isa_base::kPanelColumns<double>, isa_base::pack_panels<double>, isa_base::small_product<double>};
  return f;
}

}  // namespace tenon::cpu

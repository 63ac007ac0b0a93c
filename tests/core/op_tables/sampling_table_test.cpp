#include "core/op_table.hpp"

namespace {

const op_table::Register sampling("sampling.hpp", {{}, {
      "random_bernoulli(Shape,uint64_t,uint64_t,double)",
      "random_integers(Shape,uint64_t,uint64_t,int64_t,int64_t)",
      "random_permutation(int64_t,uint64_t,uint64_t)",
      "random_exponential(Shape,uint64_t,uint64_t,double)",
      "random_gamma(Shape,uint64_t,uint64_t,double,double)",
      "sobol(int64_t,int64_t,uint64_t,uint64_t,Scrambling,int64_t,DType)",
}});
const op_table::Register dlpack("dlpack.hpp", {{}, {
      "from_dlpack(DLManagedTensor*)",
      "from_dlpack(DLManagedTensorVersioned*,bool)",
}});

}  // namespace

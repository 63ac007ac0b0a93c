// Tensor's own methods that give a tensor: views and copies.
#include "core/op_table.hpp"

using namespace tenon;
using namespace op_table;

namespace {

void squared(const std::function<Tensor(const Tensor&)>& f, const Shape& shape) {
  both([&](const In& x) { return square(f(x[0])); }, {spread(shape)});
}

const Register table("tensor.hpp", {{
      {"reshape(Shape)",
       [] {
         squared([](const Tensor& x) { return x.reshape({4, -1}); }, {2, 3, 4});
         squared([](const Tensor& x) { return x.transpose(0, 1).reshape({12}); }, {3, 4});  // copies
       }},
      {"permute(initializer_list<int>)", [] { squared([](const Tensor& x) { return x.permute({2, 0, -2}); }, {2, 3, 4}); }},
      {"transpose(int,int)", [] { squared([](const Tensor& x) { return x.transpose(0, -1); }, {2, 3, 4}); }},
      {"narrow(int,int64_t,int64_t)", [] { squared([](const Tensor& x) { return x.narrow(1, 1, 2); }, {2, 4, 3}); }},
      {"select(int,int64_t)", [] { squared([](const Tensor& x) { return x.select(-1, 2); }, {2, 3, 4}); }},
      {"slice(int,int64_t,int64_t,int64_t)",
       [] {
         squared([](const Tensor& x) { return x.slice(1, 1, 6, 2); }, {2, 7, 3});
         squared([](const Tensor& x) { return x.slice(0, -3, 99, 1); }, {5, 2});
         squared([](const Tensor& x) { return x.slice(0, -99, -1, 3).slice(1, 0, 4, 2); }, {8, 4});
         squared([](const Tensor& x) { return x.transpose(0, 1).slice(1, 1, 5, 3); }, {5, 2});
       }},
      {"expand(Shape)", [] { squared([](const Tensor& x) { return x.expand({4, 2, 3}); }, {2, 1}); }},
      {"unsqueeze(int)", [] { squared([](const Tensor& x) { return x.unsqueeze(-1); }, {2, 3}); }},
      {"squeeze(int)", [] { squared([](const Tensor& x) { return x.squeeze(1); }, {2, 1, 3}); }},
      {"contiguous()", [] { squared([](const Tensor& x) { return x.transpose(0, 1).contiguous(); }, {2, 3}); }},
      {"to(DType)",
       [] {
         // a real value and back through a complex one, which keeps every digit
         squared([](const Tensor& x) { return real(x.to(x.dtype() == DType::f64 ? DType::c128 : DType::c64)).to(x.dtype()); }, {2, 3});
       }},
      {"to(Device)", [] { squared([](const Tensor& x) { return x.to(x.device()); }, {2, 3}); }},
      {"clone()", [] { squared([](const Tensor& x) { return x.transpose(0, 1).clone(); }, {2, 3}); }},
}, {}});

}  // namespace

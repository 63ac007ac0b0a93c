#include "core/op_table.hpp"
#include "tenon/einsum.hpp"

using namespace tenon;
using namespace op_table;

namespace {

const Register table("einsum.hpp", {{
                                        {"einsum(string_view,vector<Tensor>)",
                                         [] {
                                           auto check = [](const char* equation, const In& inputs) {
                                             both([=](const In& x) { return square(einsum(equation, x)); }, inputs);
                                           };
                                           check("ij,jk->ki", {spread({2, 3}), spread({3, 2}, -2, 1)});
                                           check("ij,ij->i", {spread({2, 3}), spread({2, 3}, -2, 1)});
                                           check("bip,iop->bop", {spread({2, 2, 9}), spread({2, 3, 9}, -2, 1)});  // the batch innermost
                                           check("bpi,pio->bpo", {spread({2, 3, 2}), spread({3, 2, 2}, -2, 1)});
                                           check("iij->j", {spread({2, 2, 3})});
                                           check("...i,ij,j->...", {spread({2, 2, 3}), spread({3, 2}, -2, 1), spread({2}, 1, 2)});
                                         }},
                                    },
                                    {}});

}  // namespace

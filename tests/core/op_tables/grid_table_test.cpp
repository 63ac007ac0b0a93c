// Padding, pooling, resizing, patches and the normalisations with an activation.
#include "core/op_table.hpp"
#include "tenon/normalisation.hpp"
#include "tenon/padding.hpp"
#include "tenon/pooling.hpp"
#include "tenon/resizing.hpp"

using namespace tenon;
using namespace op_table;

namespace {

const Register padding(
    "padding.hpp", {{
                        {"pad_axes(Tensor,vector<AxisPadding>,double)",
                         [] {
                           for (PaddingMode mode : {PaddingMode::constant, PaddingMode::reflect, PaddingMode::edge, PaddingMode::circular})
                             both(
                                 [mode](const In& x) {
                                   return square(pad_axes(x[0], {{0, {1, mode}, {}}, {-1, {2, mode}, {1, mode}}}, 0.5));
                                 },
                                 {spread({2, 2, 3})});
                         }},
                    },
                    {}});

const Register pooling(
    "pooling.hpp",
    {{
         {"adaptive_avg_pool(Tensor,vector<int64_t>)",
          [] {
            both([](const In& x) { return square(adaptive_avg_pool(x[0], {2, 5})); }, {spread({1, 3, 4, 2})});
          }},
         {"adaptive_max_pool(Tensor,vector<int64_t>)",
          [] {
            both([](const In& x) { return square(adaptive_max_pool(x[0], {2, 5})); }, {spread({1, 3, 4, 2})});
          }},
         {"global_avg_pool(Tensor)",
          [] {
            both([](const In& x) { return square(global_avg_pool(x[0])); }, {spread({2, 3, 2, 2})});
          }},
         {"global_max_pool(Tensor)",
          [] {
            both([](const In& x) { return square(global_max_pool(x[0])); }, {spread({2, 3, 2, 2})});
          }},
         {"avg_pool(Tensor,vector<int64_t>,vector<int64_t>,vector<int64_t>,bool)",
          [] {
            for (bool count : {true, false})
              both([count](const In& x) { return square(avg_pool(x[0], {3, 2}, {2, 1}, {1, 1}, count)); }, {spread({1, 4, 3, 2})});
          }},
     },
     {}});

const Register resizing("resizing.hpp",
                        {{
                             {"resize(Tensor,vector<int64_t>,ResizeOptions)",
                              [] {
                                for (ResizeOptions o : {ResizeOptions{ResizeMode::nearest},
                                                        {ResizeMode::linear, true},
                                                        {ResizeMode::linear, false, true},
                                                        {ResizeMode::cubic},
                                                        {ResizeMode::catmull_rom},
                                                        {ResizeMode::area}})
                                  both([o](const In& x) { return square(resize(x[0], {2, 5}, o)); }, {spread({1, 3, 4, 2})});
                              }},
                             {"depth_to_space(Tensor,vector<int64_t>)",
                              [] {
                                both([](const In& x) { return square(depth_to_space(x[0], {2, 3})); }, {spread({1, 2, 1, 12})});
                              }},
                             {"space_to_depth(Tensor,vector<int64_t>)",
                              [] {
                                both([](const In& x) { return square(space_to_depth(x[0], {2, 3})); }, {spread({1, 4, 3, 2})});
                              }},
                         },
                         {}});

const Register windows("windows.hpp", {{}, {"resize_argmax(Tensor,vector<int64_t>,vector<ResizeMode>)"}});

const Register patches("patches.hpp", {{},
                                       {"cut_patches(Tensor,Tensor,Tensor,Tensor,vector<int64_t>,int64_t)",
                                        "cut_label_patches(Tensor,Tensor,Tensor,Tensor,vector<int64_t>)",
                                        "change_intensity(Tensor,Tensor,Tensor)",
                                        "cut_changed_patches(Tensor,Tensor,Tensor,Tensor,vector<int64_t>,int64_t,Tensor,Tensor)"}});

const Register normalisation("normalisation.hpp",
                             {{
                                  {"group_norm(Tensor,int64_t,Tensor,Tensor,double,double)",
                                   [] {
                                     for (double slope : {0.0, 0.1})
                                       both([slope](const In& x) { return group_norm(x[0], 2, x[1], x[2], 1e-2, slope); },
                                            {check::made(1, {2, 3, 4}), spread({4}, 0.5, 2), spread({4}, -0.3, 0.4)});
                                   }},
                                  {"batch_norm(Tensor,Tensor,Tensor,Tensor,Tensor,bool,double,double,double)",
                                   [] {
                                     for (bool training : {true, false})
                                       both(
                                           [training](const In& x) {
                                             Tensor mean_so_far = Tensor::full({3}, 0.1, check::number_type()),
                                                    var_so_far = Tensor::full({3}, 1.3, check::number_type());
                                             return square(batch_norm(x[0], x[1], x[2], mean_so_far, var_so_far, training, 0.1, 1e-2, 0.1));
                                           },
                                           {check::made(1, {2, 4, 3}), spread({3}, 0.5, 2), spread({3}, -0.3, 0.4)});
                                   }},
                              },
                              {}});

}  // namespace

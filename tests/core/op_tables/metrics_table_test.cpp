#include "core/op_table.hpp"

using namespace op_table;

namespace {

const Register table("tensor_metrics.hpp", {{},
                                            {"confusion(Tensor,Tensor,int64_t,ConfusionOptions)", "confusion_of_scores(Tensor,Tensor,ConfusionOptions)",
                                             "error_sums(Tensor,Tensor,Tensor,int)", "rmse(ErrorSums)", "mae(ErrorSums)", "bias(ErrorSums)", "relative_l2(ErrorSums)",
                                             "rmse(Tensor,Tensor,Tensor,int)", "mae(Tensor,Tensor,Tensor,int)", "bias(Tensor,Tensor,Tensor,int)",
                                             "relative_l2(Tensor,Tensor,Tensor,int)", "anomaly_correlation(Tensor,Tensor,Tensor,Tensor,int)", "pearson(Tensor,Tensor,int)",
                                             "auroc(Tensor,Tensor,int)", "average_precision(Tensor,Tensor,int)", "calibration_error(Tensor,Tensor,int,int)",
                                             "brier_score(Tensor,Tensor,int)"}});

}  // namespace

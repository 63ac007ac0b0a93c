// Every op of the tables (op_table.hpp) has values of PyTorch's among tests/golden, or a reason why not.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>

#include "core/op_table.hpp"

namespace {

/// Where an op's values are. An op's own cases in ops.inc, "matmul" and "matmul row" of matmul, need no mention.
struct Elsewhere {
  std::string file, name;
};
using ByOp = std::map<std::string, std::map<std::string, Elsewhere>>;

const ByOp kElsewhere{
    {"ops.hpp",
     {{"max_pool", {"fused_ops.hpp", "max_pool"}},
      {"avg_pool", {"fused_ops.hpp", "avg_pool"}},
      {"resize", {"fused_ops.hpp", "resize_linear"}},
      {"instance_norm", {"fused_ops.hpp", "instance_norm"}},
      {"group_norm", {"fused_ops.hpp", "group_norm"}},
      {"layer_norm", {"fused_ops.hpp", "layer_norm"}},
      {"batch_norm", {"fused_ops.hpp", "batch_norm"}},
      {"softmax", {"fused_ops.hpp", "softmax_middle"}},
      {"log_softmax", {"fused_ops.hpp", "log_softmax_last"}},
      {"mse_loss", {"fused_ops.hpp", "mse_loss"}},
      {"cross_entropy", {"fused_ops.hpp", "cross_entropy"}},
      {"dice_cross_entropy", {"fused_ops.hpp", "dice_cross_entropy"}}}},
    {"cumulative.hpp",
     {{"cumsum", {"cumulative.inc", "cumsum_0"}},
      {"cumprod", {"cumulative.inc", "cumprod_0"}},
      {"logcumsumexp", {"cumulative.inc", "logcumsumexp_0"}},
      {"cummax", {"cumulative.inc", "cummax_0"}},
      {"cummin", {"cumulative.inc", "cummin_0"}},
      {"linear_recurrence", {"cumulative.inc", "recurrence"}}}},
    {"einsum.hpp", {{"einsum", {"einsum.inc", "ij,jk->ik"}}}},
    {"padding.hpp", {{"pad_axes", {"grid.inc", "pad_reflect"}}}},
    {"pooling.hpp",
     {{"adaptive_avg_pool", {"grid.inc", "adaptive_avg_pool"}},
      {"adaptive_max_pool", {"grid.inc", "adaptive_max_pool"}},
      {"avg_pool", {"grid.inc", "avg_pool_inside"}}}},
    {"resizing.hpp", {{"resize", {"grid.inc", "resize_cubic"}}}},
    {"normalisation.hpp", {{"group_norm", {"grid.inc", "group_norm_relu"}}, {"batch_norm", {"grid.inc", "batch_norm_relu"}}}},
    {"indexing.hpp",
     {{"index_select", {"indexing.inc", "index_select_0"}},
      {"index_add", {"indexing.inc", "index_add_0"}},
      {"gather", {"indexing.inc", "gather_1"}},
      {"scatter", {"indexing.inc", "scatter_1"}},
      {"scatter_add", {"indexing.inc", "scatter_add_1"}},
      {"take", {"indexing.inc", "take"}},
      {"masked_fill", {"indexing.inc", "masked_fill"}},
      {"masked_select", {"indexing.inc", "masked_select"}},
      {"nonzero", {"indexing.inc", "nonzero"}},
      {"roll", {"indexing.inc", "roll_1"}},
      {"tile", {"indexing.inc", "tile"}},
      {"repeat", {"indexing.inc", "repeat"}},
      {"stack", {"indexing.inc", "stack"}},
      {"tril", {"indexing.inc", "tril_0"}},
      {"triu", {"indexing.inc", "triu_0"}},
      {"diagonal", {"indexing.inc", "diagonal"}},
      {"diag_embed", {"indexing.inc", "diag_embed"}},
      {"meshgrid", {"indexing.inc", "meshgrid"}}}},
    {"linalg.hpp",
     {{"cholesky", {"linalg.inc", "kCholesky"}},
      {"solve", {"linalg.inc", "kSolve"}},
      {"inv", {"linalg.inc", "kInverse"}},
      {"det", {"linalg.inc", "kDet"}},
      {"slogdet", {"linalg.inc", "kLogAbs"}},
      {"qr", {"linalg.inc", "kQTall"}},
      {"svd", {"linalg.inc", "kGradientSvd"}},
      {"singular_values", {"linalg.inc", "kSTall"}},
      {"eigh", {"linalg.inc", "kGradientEigh"}},
      {"eigvalsh", {"linalg.inc", "kW"}},
      {"pinv", {"linalg.inc", "kGradientPinv"}},
      {"lstsq", {"linalg.inc", "kLstsqTall"}},
      {"matrix_norm", {"linalg.inc", "kNorms"}},
      {"matrix_power", {"linalg.inc", "kPower"}},
      {"matrix_exp", {"linalg.inc", "kGradientExp"}}}},
    {"losses.hpp",
     {{"l1_loss", {"losses.inc", "l1"}},
      {"huber_loss", {"losses.inc", "huber"}},
      {"quantile_loss", {"losses.inc", "quantile"}},
      {"relative_l2_loss", {"losses.inc", "relative_l2"}},
      {"relative_h1_loss", {"losses.inc", "relative_h1"}},
      {"cross_entropy", {"losses.inc", "cross_entropy_all"}},
      {"focal_loss", {"losses.inc", "focal"}},
      {"bce_with_logits", {"losses.inc", "bce"}},
      {"tversky_loss", {"losses.inc", "tversky"}},
      {"dice_loss", {"losses.inc", "dice"}},
      {"poisson_nll", {"losses.inc", "poisson"}},
      {"gaussian_nll", {"losses.inc", "gaussian"}},
      {"student_t_nll", {"losses.inc", "student_t"}},
      {"crps_gaussian", {"losses.inc", "crps_gaussian"}},
      {"crps_ensemble", {"losses.inc", "crps_ensemble"}},
      {"kl_divergence", {"losses.inc", "kl"}}}},
    {"ordering.hpp",
     {{"sort", {"ordering.inc", "sort_0_up"}},
      {"argsort", {"ordering.inc", "argsort_0_up"}},
      {"topk", {"ordering.inc", "topk_0_up"}},
      {"unique", {"ordering.inc", "unique_0"}},
      {"searchsorted", {"ordering.inc", "searchsorted_left"}},
      {"bincount", {"ordering.inc", "bincount"}},
      {"quantile", {"ordering.inc", "quantile_0_10_0"}},
      {"median", {"ordering.inc", "median_even"}}}},
    {"recurrent.hpp", {{"lstm", {"sequence.inc", "LSTM two layers"}}, {"gru", {"sequence.inc", "GRU two layers"}}}},
    {"attention.hpp", {{"scaled_dot_product_attention", {"sequence.inc", "attention"}}}},
    {"embedding.hpp", {{"embedding", {"sequence.inc", "embedding"}}}},
    {"norms.hpp", {{"rms_norm", {"sequence.inc", "rms_norm"}}}},
    {"conv_codes.hpp", {{"conv_codes", {"sequence.inc", "conv_codes"}}}},
    {"spectral.hpp", {{"spectral_conv", {"spectral.inc", "spectral_conv"}}}},
};

const std::string kDraws = "draws numbers of its own generator; their distribution is tested instead";
const std::string kMetric = "a metric, which PyTorch has none of; it is tested against that of plain values";
const std::map<std::string, std::map<std::string, std::string>> kReasons{
    {"ops.hpp",
     {{"operator+", "add by another name"},
      {"operator-", "sub, or add of a negative number, by another name"},
      {"operator*", "mul by another name"},
      {"operator/", "div, or mul by a reciprocal, by another name"},
      {"random_uniform", kDraws},
      {"random_normal", kDraws}}},
    {"embedding.hpp", {{"sinusoidal_positions", "PyTorch has no such op; it is tested against its formula"}}},
    {"dropout.hpp", {{"dropout", kDraws}, {"random_key", "PyTorch has no such thing"}}},
    {"sampling.hpp",
     {{"random_bernoulli", kDraws},
      {"random_integers", kDraws},
      {"random_permutation", kDraws},
      {"random_exponential", kDraws},
      {"random_gamma", kDraws},
      {"sobol", "PyTorch has other direction numbers; its points are tested for their properties"}}},
    {"windows.hpp", {{"resize_argmax", "argmax of resize, which both have values; it is tested against them"}}},
    {"tensor_metrics.hpp",
     {{"confusion", kMetric},
      {"confusion_of_scores", kMetric},
      {"error_sums", kMetric},
      {"rmse", kMetric},
      {"mae", kMetric},
      {"bias", kMetric},
      {"relative_l2", kMetric},
      {"anomaly_correlation", kMetric},
      {"pearson", kMetric},
      {"auroc", kMetric},
      {"average_precision", kMetric},
      {"calibration_error", kMetric},
      {"brier_score", kMetric}}},
    {"patches.hpp",
     {{"cut_patches", "grid_sample of PyTorch counts along other axes and a patch at a time; it is tested against its formula in double"},
      {"cut_label_patches", "PyTorch has no such op; it is tested against interpolated one-hot labels"},
      {"change_intensity", "PyTorch has no such op; each change is tested for what its name says"},
      {"cut_changed_patches", "it is the two ops before it, bit for bit, as a test says"}}},
    {"dlpack.hpp", {{"from_dlpack", "no arithmetic; tests/exchange shares memory with PyTorch itself"}}},
};

/// The names of the values in a file of tests/golden: {"name", or vector<double> name{.
std::set<std::string> names_in(const std::string& file) {
  std::ifstream in(std::filesystem::path(TENON_SOURCE_DIR "/tests/golden") / file);
  INFO(file);
  REQUIRE(in.good());
  std::set<std::string> names;
  for (std::string line; std::getline(in, line);) {
    line.resize(std::min<std::size_t>(line.size(), 200));
    std::smatch found;
    if (std::regex_search(line, found, std::regex(R"(^\{"([^"]+)\"|vector<double> (\w+)\{)"))) names.insert(found[1].matched ? found.str(1) : found.str(2));
  }
  return names;
}

std::string name_of_op(const std::string& signature) {
  return signature.substr(0, signature.find('('));
}

}  // namespace

TEST_CASE("every op has values of PyTorch's or a reason for having none", "[op_table][golden]") {
  std::map<std::string, std::set<std::string>> files{{"ops.inc", names_in("ops.inc")}};
  const std::set<std::string>& own = files["ops.inc"];
  auto names = [&](const std::string& file) -> const std::set<std::string>& {
    if (!files.count(file)) files[file] = names_in(file);
    return files[file];
  };
  std::map<std::string, std::set<std::string>> ops;
  for (const auto& [header, table] : op_table::tables()) {
    for (const auto& [op, row] : table.rows) ops[header].insert(name_of_op(op));
    for (const std::string& op : table.without_gradient) ops[header].insert(name_of_op(op));
  }
  CHECK(ops.size() > 15);
  for (const auto& [header, of_header] : ops)
    for (const std::string& op : of_header) {
      INFO(header << ": " << op);
      const auto elsewhere = kElsewhere.find(header);
      const auto reasons = kReasons.find(header);
      const bool listed = elsewhere != kElsewhere.end() && elsewhere->second.count(op);
      const bool excused = reasons != kReasons.end() && reasons->second.count(op);
      CHECK_FALSE((listed && excused));
      if (listed) {
        const Elsewhere& at = elsewhere->second.at(op);
        CHECK(names(at.file).count(at.name) == 1);
      } else if (!excused) {
        const auto at = own.lower_bound(op);
        CHECK((at != own.end() && (*at == op || at->rfind(op + " ", 0) == 0)));
      }
    }
  for (const auto& [header, listed] : kElsewhere)
    for (const auto& [op, at] : listed) {
      INFO(header << ": " << op << " stands in no table");
      CHECK(ops[header].count(op) == 1);
    }
  for (const auto& [header, reasons] : kReasons)
    for (const auto& [op, why] : reasons) {
      INFO(header << ": " << op << " stands in no table");
      CHECK(ops[header].count(op) == 1);
    }
}

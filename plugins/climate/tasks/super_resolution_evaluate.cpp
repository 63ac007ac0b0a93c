// The super-resolution task's scores, its pictures, and fine fields of files.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "climate/io/writer.hpp"
#include "climate/tasks/model_runner.hpp"
#include "climate/tasks/params.hpp"
#include "climate/tasks/super_resolution.hpp"
#include "tenon/error.hpp"
#include "tenon/field_picture.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/sha256.hpp"
#include "tenon/kernel.hpp"
#include "tenon/metrics.hpp"

namespace tenon::climate {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kContext = 16;  // cells around a tile that the network sees beside it

/// Columns [first, last) of a field [rows, width], `extra` more at either side: beyond the ends around the globe or the edge's value.
std::vector<float> with_neighbours(const std::vector<float>& field, std::int64_t rows, std::int64_t width, std::int64_t first, std::int64_t last, std::int64_t extra, bool wrapped) {
  std::vector<float> out;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = first - extra; c < last + extra; ++c)
      out.push_back(field[std::size_t(r * width + (wrapped ? (c % width + width) % width : std::clamp<std::int64_t>(c, 0, width - 1)))]);
  return out;
}

std::vector<float> upsampled(const std::vector<float>& coarse, std::int64_t rows, std::int64_t width, bool wrapped, const CellColumns& columns, std::int64_t factor, Upsampling method) {
  const std::int64_t extra = 2, wide = columns.count() + 2 * extra, n = factor * factor;
  const auto near = with_neighbours(coarse, rows, width, columns.first, columns.last, extra, wrapped);
  std::vector<float> all(std::size_t(rows * wide * n)), out;
  upsample(near.data(), rows, wide, factor, method, all.data());
  for (std::int64_t r = 0; r < rows; ++r) out.insert(out.end(), all.begin() + (r * wide + extra) * n, all.begin() + (r * wide + extra + columns.count()) * n);
  return out;
}

/// Fine rows x columns from values by cell.
std::vector<float> spread(const std::vector<float>& by_cell, std::int64_t rows, std::int64_t columns, std::int64_t factor) {
  std::vector<float> fine(by_cell.size());
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c)
      for (std::int64_t i = 0; i < factor; ++i)
        std::copy_n(by_cell.data() + ((r * columns + c) * factor + i) * factor, factor, fine.data() + (r * factor + i) * columns * factor + c * factor);
  return fine;
}

/// Weighted squared errors summed over blocks of the globe.
struct BlockErrors {
  std::vector<double> square, weight;
  double rmse(std::span<const std::int64_t> drawn) const {
    double s = 0, w = 0;
    for (auto i : drawn) s += square[std::size_t(i)], w += weight[std::size_t(i)];
    return std::sqrt(s / w);
  }
  double rmse() const {
    std::vector<std::int64_t> all(square.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = std::int64_t(i);
    return rmse(all);
  }
};

}  // namespace

std::vector<float> SuperResolutionTask::refine(nn::Module& model, const std::vector<float>& coarse, const std::vector<double>& latitude, std::int64_t width, bool wrapped,
                                               const CellColumns& columns, const Monitor& monitor) const {
  const auto rows = std::int64_t(latitude.size());
  const std::int64_t n = factor_ * factor_, count = columns.count();
  std::vector<float> result = upsampled(coarse, rows, width, wrapped, columns, factor_, Upsampling::cubic);
  std::vector<float> cells;
  for (std::int64_t r = 0; r < rows; ++r) cells.insert(cells.end(), coarse.begin() + r * width + columns.first, coarse.begin() + r * width + columns.last);
  keep_means(cells.data(), rows * count, factor_, result.data());
  const auto near = with_neighbours(coarse, rows, width, columns.first, columns.last, kContext, wrapped);
  const std::int64_t wide = count + 2 * kContext, side = tile_ + 2 * kContext;
  ModelRunner runner(model);
  const double share = correction_ / double(predict_turns_.size());
  for (std::int64_t top = 0; top < rows; top += tile_)
    for (std::int64_t left = 0; left < count; left += tile_) {
      monitor.turn("refining", top * count + left * std::min(tile_, rows - top), rows * count);
      // Tiles are of one size; the last of a row or column shows its neighbours' cells again.
      const std::int64_t first_row = std::max<std::int64_t>(0, std::min(top, rows - tile_)), first_column = std::max<std::int64_t>(0, std::min(left, count - tile_));
      std::vector<float> window(std::size_t(side * side));
      std::vector<double> row_latitude;
      for (std::int64_t r = 0; r < side; ++r) {
        const std::int64_t from = std::clamp<std::int64_t>(first_row - kContext + r, 0, rows - 1);
        row_latitude.push_back(latitude[std::size_t(from)]);
        for (std::int64_t c = 0; c < side; ++c) window[std::size_t(r * side + c)] = near[std::size_t(from * wide + std::min(first_column + c, wide - 1))];
      }
      for (const Turn& turn : predict_turns_) {
        std::vector<float> turned(window.size());
        apply_turn(turn, window.data(), side, side, 1, turned.data());
        std::vector<double> turned_latitude = row_latitude;
        if (turn.transpose) std::fill(turned_latitude.begin(), turned_latitude.end(), row_latitude[std::size_t(side / 2)]);
        if (!turn.transpose && turn.flip_rows) std::reverse(turned_latitude.begin(), turned_latitude.end());
        const Tensor x = Tensor::empty(Shape{1, side, side, channels()});
        put_input(turned.data(), side, side, turned_latitude, x.data<float>());
        const Tensor y = runner.run(x, 1);
        if (y.size(3) != n) throw Error(ErrorKind::usage, "climate.model_output", fmt::format("the model gives {} values a cell where the task needs {}", y.size(3), n), "");
        // Cells turn as a whole, and so do the fine points within each.
        const std::vector<float> fine = spread(std::vector<float>(y.data<float>(), y.data<float>() + y.numel()), side, side, factor_);
        std::vector<float> back(fine.size()), cell(static_cast<std::size_t>(n));
        undo_turn(turn, fine.data(), side * factor_, side * factor_, 1, back.data());
        for (std::int64_t r = 0; r < std::min(tile_, rows - first_row); ++r)
          for (std::int64_t c = 0; c < std::min(tile_, count - first_column); ++c) {
            if (first_row + r < top || first_column + c < left) continue;  // done by the tile before
            by_cell(back.data() + (r + kContext) * factor_ * side * factor_ + (c + kContext) * factor_, side * factor_, 1, 1, factor_, cell.data());
            double mean = 0;
            for (float v : cell) mean += double(v);
            mean /= double(n);
            float* out = result.data() + ((first_row + r) * count + first_column + c) * n;
            for (std::int64_t k = 0; k < n; ++k) out[k] += float(share * (double(cell[std::size_t(k)]) - mean));
          }
      }
    }
  return result;
}

Evaluation SuperResolutionTask::evaluate(nn::Module& model, const std::string& split, int pictures, const Monitor& monitor) {
  if (!field_) throw_usage("SuperResolutionTask::evaluate", "nothing is loaded yet");
  const auto known = splits();
  if (std::find(known.begin(), known.end(), split) == known.end())
    throw Error(ErrorKind::usage, "climate.no_split", "there is no split '" + split + "'", suggestion(split, known));
  const bool held = split == "validation" && known.size() > 1;
  const CellColumns columns = region(held ? "hold_back" : "score");
  const auto rows = std::int64_t(cell_latitude_.size()), width = std::int64_t(cell_longitude_.size());
  const std::int64_t f = factor_, n = f * f, count = columns.count();
  std::vector<float> truth(std::size_t(rows * count * n));
  by_cell(field_->values.data() + columns.first * f, width * f, rows, count, f, truth.data());
  const std::vector<std::pair<std::string, std::vector<float>>> guesses{
      {"model", refine(model, coarse_, cell_latitude_, width, field_->global, columns, monitor)},
      {"bicubic", upsampled(coarse_, rows, width, field_->global, columns, f, Upsampling::cubic)},
      {"bilinear", upsampled(coarse_, rows, width, field_->global, columns, f, Upsampling::linear)},
      {"nearest", upsampled(coarse_, rows, width, field_->global, columns, f, Upsampling::nearest)}};

  // Blocks of the globe are the cases.
  const double block = double(section(context_, "baselines").integer("block"));
  struct Block {
    std::int64_t rows[2], columns[2];
  };
  std::vector<Block> blocks;
  std::vector<std::int64_t> row_cuts{0}, column_cuts{columns.first};
  for (std::int64_t r = 1; r < rows; ++r)
    if (std::floor(cell_latitude_[std::size_t(r)] / block) != std::floor(cell_latitude_[std::size_t(r - 1)] / block)) row_cuts.push_back(r);
  for (std::int64_t c = columns.first + 1; c < columns.last; ++c)
    if (std::floor(cell_longitude_[std::size_t(c)] / block) != std::floor(cell_longitude_[std::size_t(c - 1)] / block)) column_cuts.push_back(c);
  row_cuts.push_back(rows);
  column_cuts.push_back(columns.last);
  for (std::size_t i = 0; i + 1 < row_cuts.size(); ++i)
    for (std::size_t j = 0; j + 1 < column_cuts.size(); ++j)
      blocks.push_back({{row_cuts[i], row_cuts[i + 1]}, {column_cuts[j] - columns.first, column_cuts[j + 1] - columns.first}});

  std::vector<BlockErrors> errors(guesses.size(), BlockErrors{std::vector<double>(blocks.size(), 0.0), std::vector<double>(blocks.size(), 0.0)});
  parallel_for(std::int64_t(blocks.size()), [&](std::int64_t b) {
    const Block& k = blocks[std::size_t(b)];
    for (std::size_t g = 0; g < guesses.size(); ++g)
      for (std::int64_t r = k.rows[0]; r < k.rows[1]; ++r)
        for (std::int64_t i = 0; i < f; ++i) {
          const double w = std::max(0.0, std::cos(field_->grid.latitude[std::size_t(r * f + i)] * std::numbers::pi / 180));
          for (std::int64_t c = k.columns[0]; c < k.columns[1]; ++c)
            for (std::int64_t j = 0; j < f; ++j) {
              const auto at = std::size_t((r * count + c) * n + i * f + j);
              const double e = double(guesses[g].second[at]) - double(truth[at]);
              errors[g].square[std::size_t(b)] += w * e * e;
              errors[g].weight[std::size_t(b)] += w;
            }
        }
  });

  Evaluation result;
  result.split = split;
  result.columns = this->columns();
  auto edge = [](double v, const char* up, const char* down) { return fmt::format("{:.0f}\u00b0{}", std::abs(v), v > 0 ? up : v < 0 ? down : ""); };
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    const std::int64_t one[] = {std::int64_t(b)};
    const double mine = errors[0].rmse(one), cubic = errors[1].rmse(one);
    const double lat = block * std::floor(cell_latitude_[std::size_t(blocks[b].rows[0])] / block), lon = block * std::floor(cell_longitude_[std::size_t(columns.first + blocks[b].columns[0])] / block);
    result.cases.push_back({edge(lat, "N", "S") + " " + edge(lon > 180 ? lon - 360 : lon, "E", "W"), {mine, cubic > 0 ? mine / cubic : std::nan("")}, {}});
  }
  result.totals.push_back(bootstrap(std::int64_t(blocks.size()), [&](std::span<const std::int64_t> drawn) { return errors[0].rmse(drawn); }));
  result.totals.push_back(bootstrap(std::int64_t(blocks.size()), [&](std::span<const std::int64_t> drawn) { return errors[0].rmse(drawn) / errors[1].rmse(drawn); }));
  for (std::size_t g = 1; g < guesses.size(); ++g)
    result.baselines.push_back({guesses[g].first, {errors[g].rmse(), errors[g].rmse() / errors[1].rmse()},
                                g == 1 ? "computed: Keys' kernel, a = -1/2" : "computed"});
  for (auto& b : published_baselines(section(context_, "baselines"), result.columns.size())) result.baselines.push_back(std::move(b));
  result.notes.push_back(fmt::format("RMSE: root of the mean squared error over the {} x {} fine points of the split, weighted by cos(latitude)", rows * f, count * f));
  result.notes.push_back(fmt::format("cases are blocks of {:g}\u00b0 by {:g}\u00b0, named by their south-western corner; intervals: 95 %, 2000 resamples of them", block, block));
  if (held) result.notes.push_back("this split is the part that was held back for choices, not the scored one");

  if (pictures > 0) {
    std::vector<std::size_t> order(blocks.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return result.cases[a].values[0] > result.cases[b].values[0]; });
    std::vector<std::vector<float>> fine;
    for (std::size_t g = 0; g < 2; ++g) fine.push_back(spread(guesses[g].second, rows, count, f));
    const std::vector<float> nearest = spread(guesses[3].second, rows, count, f), actual = spread(truth, rows, count, f);
    auto window = [&](const std::vector<float>& from, std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1) {
      std::vector<float> out;
      for (std::int64_t r = r0 * f; r < r1 * f; ++r) out.insert(out.end(), from.begin() + r * count * f + c0 * f, from.begin() + r * count * f + c1 * f);
      return out;
    };
    auto panels = [&](std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1) {
      const auto t = window(actual, r0, r1, c0, c1), m = window(fine[0], r0, r1, c0, c1), b = window(fine[1], r0, r1, c0, c1), c = window(nearest, r0, r1, c0, c1);
      std::vector<float> me(t.size()), be(t.size());
      for (std::size_t i = 0; i < t.size(); ++i) me[i] = m[i] - t[i], be[i] = b[i] - t[i];
      const auto [low, high] = std::minmax_element(t.begin(), t.end());
      std::vector<float> size(be);
      for (float& v : size) v = std::abs(v);
      std::nth_element(size.begin(), size.begin() + std::ptrdiff_t(size.size() - 1 - size.size() / 100), size.end());
      const double top = double(size[size.size() - 1 - size.size() / 100]);
      const auto map = *low < 0 && *high > 0 ? ColourMap::relief : ColourMap::sequential;
      FieldGrid grid{(r1 - r0) * f, (c1 - c0) * f, {}, {}, true};
      grid.row_coordinates.assign(field_->grid.latitude.begin() + r0 * f, field_->grid.latitude.begin() + r1 * f);
      grid.column_coordinates.assign(field_->grid.longitude.begin() + (columns.first + c0) * f, field_->grid.longitude.begin() + (columns.first + c1) * f);
      return draw_fields({{"cells", c, map, double(*low), double(*high), unit_},
                          {"truth", t, map, double(*low), double(*high), unit_},
                          {"bicubic", b, map, double(*low), double(*high), unit_},
                          {"model", m, map, double(*low), double(*high), unit_},
                          {"bicubic - truth", be, ColourMap::diverging, -top, top, unit_},
                          {"model - truth", me, ColourMap::diverging, -top, top, unit_}},
                         grid, 2);
    };
    result.pictures.push_back({"The whole split", panels(0, rows, 0, count)});
    for (std::size_t i = 0; i < std::min(order.size(), std::size_t(pictures)); ++i) {
      const Block& k = blocks[order[i]];
      CaseResult& c = result.cases[order[i]];
      c.pictures.push_back({fmt::format("RMSE {:.1f} {}, {:.3f} of bicubic's", c.values[0], unit_, c.values[1]), panels(k.rows[0], k.rows[1], k.columns[0], k.columns[1])});
    }
    result.notes.push_back("pictures: the blocks of largest error; fields share their colours, and so do the errors");
  }
  return result;
}

std::vector<fs::path> SuperResolutionTask::predict(nn::Module& model, const std::vector<fs::path>& inputs, const PredictOptions& options) {
  if (!ready_) throw_usage("SuperResolutionTask::predict", "neither trained nor told what training saw");
  std::vector<fs::path> outputs;
  for (const auto& input : inputs) {
    const fs::path output = options.output / (input.stem().string() + "_fine.nc");
    if (std::find(outputs.begin(), outputs.end(), output) != outputs.end())
      throw Error(ErrorKind::usage, "predict.same_name", "two inputs would be written to " + output.string(), "predict them into different folders");
    if (!options.overwrite && file_exists(output))
      throw Error(ErrorKind::usage, "predict.exists", "the result is there already", "choose another output folder, or say --overwrite", output.string());
    outputs.push_back(output);
  }
  const std::string digest = model_digest(model);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const FineField cells = read_fine_field(inputs[i], variable_);
    const std::string input_digest = sha256_of_file(inputs[i]);
    if (cells.unit != unit_)
      throw Error(ErrorKind::data, "climate.unit", "'" + cells.variable + "' is in '" + cells.unit + "', the model was trained on '" + unit_ + "'", "convert the file", inputs[i].string());
    const std::int64_t rows = cells.grid.rows(), width = cells.grid.columns();
    const auto fine = spread(refine(model, cells.values, cells.grid.latitude, width, cells.global, {0, width}, options.monitor), rows, width, factor_);
    LabelledArray out = cells.source;
    out.values = Tensor::from(fine, Shape{rows * factor_, width * factor_});
    out.auxiliary.clear();
    for (Axis& axis : out.axes) {
      // Each cell, from midpoint to midpoint, is cut evenly.
      const std::vector<double> x = axis.coordinates;
      std::vector<double> edges{x.size() > 1 ? x[0] - (x[1] - x[0]) / 2 : x[0] - 0.5};
      for (std::size_t k = 0; k + 1 < x.size(); ++k) edges.push_back((x[k] + x[k + 1]) / 2);
      edges.push_back(x.size() > 1 ? x.back() + (x.back() - x[x.size() - 2]) / 2 : x.back() + 0.5);
      axis.coordinates.clear();
      axis.bounds.clear();
      for (std::size_t k = 0; k < x.size(); ++k)
        for (std::int64_t j = 0; j < factor_; ++j) axis.coordinates.push_back(edges[k] + (edges[k + 1] - edges[k]) * (double(j) + 0.5) / double(factor_));
    }
    Dataset dataset;
    dataset.variables.push_back(std::move(out));
    dataset.attributes = {{"source", "super-resolution by climate.super_resolution of Tenon"},
                          {"tenon_model_sha256", digest},
                          {"tenon_seed", std::to_string(context_.seed)},
                          {"tenon_input", inputs[i].filename().string()},
                          {"tenon_input_sha256", input_digest}};
    if (!cells.history.empty()) dataset.attributes["history"] = cells.history;
    files().make_directories(options.output);
    write_netcdf(outputs[i], dataset, {.history = "tenon predict: refined from " + inputs[i].filename().string()});
  }
  return outputs;
}

}  // namespace tenon::climate

#include "climate/tasks/operator_pictures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tenon/field_picture.hpp"

namespace tenon::climate {

void picture_pairs(Evaluation& result, const std::vector<FieldPairs>& sets, const std::vector<Tensor>& guesses, int count) {
  if (count <= 0 || sets.empty()) return;
  const std::size_t k = sets.size() - 1;
  const FieldPairs& pairs = sets[k];
  const std::int64_t rows = pairs.rows(), columns = pairs.columns(), points = rows * columns, channels = pairs.input.size(3);
  std::vector<std::size_t> order(static_cast<std::size_t>(pairs.count()));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return result.cases[a].values[k] > result.cases[b].values[k]; });
  FieldGrid grid{rows, columns, {}, {}, false};
  for (std::int64_t r = 0; r < rows; ++r) grid.row_coordinates.push_back(double(r) / double(rows));
  for (std::int64_t c = 0; c < columns; ++c) grid.column_coordinates.push_back(double(c) / double(columns));
  for (std::size_t n = 0; n < std::min(order.size(), std::size_t(count)); ++n) {
    const std::size_t i = order[n];
    std::vector<float> input, error;
    const float *x = pairs.input.data<float>() + std::int64_t(i) * points * channels, *y = pairs.target.data<float>() + std::int64_t(i) * points,
                *p = guesses[k].data<float>() + std::int64_t(i) * points;
    for (std::int64_t j = 0; j < points; ++j) {
      input.push_back(x[j * channels]);
      error.push_back(p[j] - y[j]);
    }
    const auto [low, high] = std::minmax_element(y, y + points);
    const std::span<const float> truth(y, std::size_t(points)), guess(p, std::size_t(points));
    const std::vector<FieldPanel> panels{{"input", input, ColourMap::sequential, {}, {}, ""},
                                         {"truth", truth, ColourMap::sequential, double(*low), double(*high), ""},
                                         {"prediction", guess, ColourMap::sequential, double(*low), double(*high), ""},
                                         {"prediction - truth", error, ColourMap::diverging, {}, {}, ""}};
    result.cases[i].pictures.push_back({fmt::format("{}: relative L2 {:.4f}", pairs.name, result.cases[i].values[k]), draw_fields(panels, grid, 2)});
  }
  result.notes.push_back("pictures: the worst samples of " + pairs.name + "; truth and prediction share their colours");
}

}  // namespace tenon::climate

#include "climate/models/edges.hpp"

namespace tenon::climate {

void add_edge_params(ParamSpec& spec) {
  const std::vector<std::string> rules{"zero", "edge", "reflect", "circular"};
  spec.add(text_param("latitude", "zero", "what lies beyond the first and last latitude: zeros, the edge's value, or a reflection", rules));
  spec.add(text_param("longitude", "zero", "the same for longitude; circular for a grid that goes around the globe", rules));
}

std::vector<PaddingMode> edge_modes(const ParamValues& values) {
  return {padding_mode(values.text("latitude")), padding_mode(values.text("longitude"))};
}

}  // namespace tenon::climate

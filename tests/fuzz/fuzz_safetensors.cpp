#include "files.hpp"
#include "round_trip.hpp"
#include "target.hpp"
#include "tenon/io/safetensors.hpp"

using namespace tenon;

const std::size_t fuzz::kMemoryPerByte = 100;  // the header's JSON tree; tensors take no more than the file

std::vector<std::string> fuzz::corpus() {
  MemoryFiles files;
  std::vector<std::string> all;
  const Tensor x = Tensor::arange(6, DType::f32).reshape({2, 3}), y = Tensor::zeros({5}, DType::boolean),
               z = Tensor::full({}, 1, DType::f64);
  for (const auto& tensors : std::vector<std::vector<std::pair<std::string, Tensor>>>{
           {}, {{"x", x}}, {{"w", x}, {"flags", y}, {"scale", z}, {"none", Tensor::zeros({0, 2})}}})
    for (const auto& metadata : std::vector<std::map<std::string, std::string>>{{}, {{"step", "12"}, {"format", "pt"}}}) {
      save_safetensors("a", tensors, metadata);
      all.push_back(files["a"]);
    }
  return all;
}

void fuzz::read(const std::string& bytes) {
  MemoryFiles files;
  files["in"] = bytes;
  const TensorFile in = load_safetensors("in");
  save_safetensors("out", in.tensors, in.metadata);
  require_same(in.tensors, load_safetensors("out").tensors);
}

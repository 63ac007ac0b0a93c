#include "backend/cpu/conv_engine.hpp"

#include <list>
#include <map>
#include <mutex>
#include <tuple>

#include "tenon/error.hpp"

namespace tenon::cpu {
namespace {

constexpr std::size_t kCachedPrograms = 512;  // a large network's, for several input sizes

using Key = std::tuple<ConvGeometry, ConvPass, bool, ConvSums>;

/// Least recently used goes first. Programs still captured by kernels live on.
class ProgramCache {
 public:
  template <class Make>
  std::shared_ptr<const ConvProgram> get(const Key& key, Make make) {
    {
      std::lock_guard lock(mutex_);
      if (auto it = index_.find(key); it != index_.end()) {
        order_.splice(order_.begin(), order_, it->second);
        return it->second->second;
      }
    }
    std::shared_ptr<const ConvProgram> program = make();  // outside the lock: two threads may both make one, either will do
    std::lock_guard lock(mutex_);
    if (auto it = index_.find(key); it != index_.end()) return it->second->second;
    order_.emplace_front(key, program);
    index_[key] = order_.begin();
    if (order_.size() > kCachedPrograms) {
      index_.erase(order_.back().first);
      order_.pop_back();
    }
    return program;
  }

 private:
  std::mutex mutex_;
  std::list<std::pair<Key, std::shared_ptr<const ConvProgram>>> order_;
  std::map<Key, std::list<std::pair<Key, std::shared_ptr<const ConvProgram>>>::iterator> index_;
};

[[noreturn]] void wrong_pass(const char* what) {
  throw Error(ErrorKind::internal, "conv.pass",
              std::string("a convolution program was asked for ") + what + ", which is not what it was made for");
}

}  // namespace

void ConvProgram::pack(const void*, void*) const {
  wrong_pass("packed weights");
}
void ConvProgram::run(const void*, const void*, const void*, void*) const {
  wrong_pass("a forward run");
}
void ConvProgram::run_weights(const void*, const void*, void*, void*, void*) const {
  wrong_pass("a weight gradient");
}

std::shared_ptr<const ConvProgram> conv_program(const ConvGeometry& g, ConvPass pass, bool bias, ConvSums sums) {
  static ProgramCache cache;
  return cache.get(Key{g, pass, bias, sums}, [&]() -> std::shared_ptr<const ConvProgram> {
    if (auto program = make_row_conv(g, pass, sums)) return program;
    if (g.dtype == DType::f64) return make_reference_conv(g, pass, sums);
    if (pass == ConvPass::weight_gradient)
      if (auto program = make_amx_weight_gradient(g, sums)) return program;
    if (auto program = make_depthwise_conv(g, pass, sums)) return program;
    if (auto program = make_sequence_conv(g, pass, sums)) return program;
    if (auto program = make_winograd_conv(g, pass, sums)) return program;
    if (auto program = make_gemm_conv(g, pass, sums)) return program;
    return make_onednn_conv(g, pass, bias, sums);
  });
}

}  // namespace tenon::cpu

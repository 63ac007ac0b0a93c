#include "backend/cuda/library/product_record.hpp"

#include <charconv>
#include <cstdio>
#include <string_view>

namespace tenon::cuda {
namespace {

constexpr std::size_t kDigits = 16;  // of one word, in hexadecimal

std::string hexadecimal(const AlgorithmBytes& words) {
  std::string text;
  for (std::uint64_t w : words) {
    char digits[kDigits + 1];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(w));
    text += digits;
  }
  return text;
}

bool read(std::string_view text, AlgorithmBytes& words) {
  if (text.size() != kDigits * words.size()) return false;
  for (std::uint64_t& w : words) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + kDigits, w, 16);
    if (error != std::errc() || end != text.data() + kDigits) return false;
    text.remove_prefix(kDigits);
  }
  return true;
}

}  // namespace

std::string product_key(const ProductShape& s, bool tf32, bool bias_inside, std::size_t workspace_bytes) {
  std::string key = std::string(name_of(s.in)) + " " + std::string(name_of(s.out));
  for (std::int64_t v : {s.m, s.n, s.k, s.a_row, s.a_col, s.b_row, s.b_col, s.count, s.a_step, s.b_step, s.c_step,
                         std::int64_t(workspace_bytes)})
    key += " " + std::to_string(v);
  if (s.bias) key += bias_inside ? " bias" : " bias after";
  if (s.add) key += " add";
  if (s.c_row) key += " rows " + std::to_string(s.c_row);
  if (s.sums) key += " sums";
  if (tf32) key += " tf32";
  switch (s.epilogue) {
    case Epilogue::none: break;
    case Epilogue::relu: key += " relu"; break;
    case Epilogue::gelu_tanh: key += " gelu_tanh"; break;
    case Epilogue::relu_gradient: key += " relu gradient"; break;
    case Epilogue::gelu_tanh_gradient: key += " gelu_tanh gradient"; break;
  }
  if (s.auxiliary) key += " auxiliary";
  return key;
}

std::string written(const ProductRecord& r) {
  return r.chosen == r.first ? hexadecimal(r.first) : hexadecimal(r.first) + " " + hexadecimal(r.chosen);
}

std::optional<ProductRecord> read_record(const std::string& text) {
  const std::string_view all = text;
  const std::size_t space = all.find(' ');
  ProductRecord r;
  if (!read(all.substr(0, space), r.first)) return {};
  r.chosen = r.first;
  if (space != all.npos && !read(all.substr(space + 1), r.chosen)) return {};
  return r;
}

}  // namespace tenon::cuda

#include "ops/einsum_equation.hpp"

#include <algorithm>
#include <string>

#include "tenon/error.hpp"

namespace tenon::einsum_detail {
namespace {

constexpr int kDots = -1;  ///< stands for "..." until the ranks are known

int label_of(char c) {
  return c >= 'a' && c <= 'z' ? c - 'a' : c >= 'A' && c <= 'Z' ? 26 + c - 'A' : -1;
}

std::string name_of(int label) {
  if (label >= kLetters) return "axis -" + std::to_string(label - kLetters + 1) + " of \"...\"";
  return std::string("'") + char(label < 26 ? 'a' + label : 'A' + label - 26) + "'";
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {
    for (char c : text)
      if (c != ' ') tight_ += c;
  }

  [[noreturn]] void refuse(const std::string& what, const std::string& hint = "for example \"bik,bkj->bij\"") const {
    throw_usage("einsum", "\"" + std::string(text_) + "\": " + what, hint);
  }

  /// Up to the next comma, arrow or end.
  Labels labels() {
    Labels out;
    for (; at_ < tight_.size() && tight_[at_] != ',' && tight_.compare(at_, 2, "->") != 0; ++at_) {
      if (tight_.compare(at_, 3, "...") == 0) {
        if (std::find(out.begin(), out.end(), kDots) != out.end()) refuse("\"...\" stands twice in one operand");
        out.push_back(kDots);
        at_ += 2;
      } else if (int label = label_of(tight_[at_]); label >= 0) {
        out.push_back(label);
      } else {
        refuse(std::string("'") + tight_[at_] + "' is no label");
      }
    }
    return out;
  }
  bool skip(std::string_view what) {
    if (tight_.compare(at_, what.size(), what) != 0) return false;
    at_ += what.size();
    return true;
  }
  bool done() const { return at_ == tight_.size(); }

 private:
  std::string_view text_;
  std::string tight_;
  std::size_t at_ = 0;
};

/// "..." replaced by `n` labels.
Labels spelled(const Labels& labels, int n) {
  Labels out;
  for (int label : labels) {
    if (label != kDots) {
      out.push_back(label);
      continue;
    }
    for (int i = n; i-- > 0;) out.push_back(kLetters + i);
  }
  return out;
}

/// The axes that "..." stands for in operand i.
int dotted_axes(const Reader& reader, const Labels& labels, std::size_t i, const Tensor& t) {
  const bool dots = std::find(labels.begin(), labels.end(), kDots) != labels.end();
  const int axes = t.rank() - (int(labels.size()) - dots);
  if (axes < 0 || (axes > 0 && !dots))
    reader.refuse("operand " + std::to_string(i) + " " + t.str() + " has " + std::to_string(t.rank()) + " axes, the equation " +
                      std::to_string(int(labels.size()) - dots),
                  "give one letter an axis, or \"...\"");
  return axes;
}

/// The size of every label, over all operands.
void measure(const Reader& reader, Equation& e, const std::vector<Tensor>& operands) {
  e.sizes.assign(std::size_t(kLabels), -1);
  for (std::size_t i = 0; i < operands.size(); ++i)
    for (std::size_t a = 0; a < e.operands[i].size(); ++a) {
      const int label = e.operands[i][a];
      std::int64_t& known = e.sizes[std::size_t(label)];
      const std::int64_t n = operands[i].size(int(a));
      const bool broadcasts = label >= kLetters && (known == 1 || n == 1);
      if (known >= 0 && known != n && !broadcasts)
        reader.refuse(name_of(label) + " is " + std::to_string(known) + " and, in operand " + std::to_string(i) + " " + operands[i].str() +
                          ", " + std::to_string(n),
                      "an index has one size; only \"...\" broadcasts");
      if (known < 0 || known == 1) known = n;
    }
}

/// What an equation without an arrow gives.
Labels implied(const std::vector<Labels>& operands, int dots) {
  std::vector<int> count(std::size_t(kLetters), 0);
  for (const Labels& labels : operands)
    for (int label : labels)
      if (label < kLetters) ++count[std::size_t(label)];
  Labels out = spelled({kDots}, dots);
  auto add = [&](int first) {
    for (int label = first; label < first + 26; ++label)
      if (count[std::size_t(label)] == 1) out.push_back(label);
  };
  add(26);  // capitals stand before small letters, as their characters do
  add(0);
  return out;
}

}  // namespace

Equation parse(std::string_view equation, const std::vector<Tensor>& operands) {
  Reader reader(equation);
  Equation e;
  do e.operands.push_back(reader.labels());
  while (reader.skip(","));
  if (e.operands.size() != operands.size())
    reader.refuse(std::to_string(e.operands.size()) + " operands in the equation, " + std::to_string(operands.size()) + " given");
  int dots = 0;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const int axes = dotted_axes(reader, e.operands[i], i, operands[i]);
    dots = std::max(dots, axes);
    e.operands[i] = spelled(e.operands[i], axes);
  }
  measure(reader, e, operands);
  if (!reader.skip("->")) {
    e.output = implied(e.operands, dots);
  } else {
    const Labels written = reader.labels();
    if (!reader.done()) reader.refuse("more than one result");
    if (dots > 0 && std::find(written.begin(), written.end(), kDots) == written.end())
      reader.refuse("\"...\" stands for " + std::to_string(dots) + " axes that the result lacks",
                    "put \"...\" behind the arrow, or letters in its place");
    e.output = spelled(written, dots);
  }
  for (std::size_t i = 0; i < e.output.size(); ++i) {
    const int label = e.output[i];
    if (e.sizes[std::size_t(label)] < 0) reader.refuse(name_of(label) + " of the result stands in no operand");
    if (std::count(e.output.begin(), e.output.end(), label) > 1) reader.refuse(name_of(label) + " stands twice in the result");
  }
  check_rank(e.output.size());
  return e;
}

void check_rank(std::size_t axes) {
  if (axes > std::size_t(kMaxRank))
    throw_usage("einsum", "a result of " + std::to_string(axes) + " axes", "at most " + std::to_string(kMaxRank) + "; contract in steps");
}

}  // namespace tenon::einsum_detail

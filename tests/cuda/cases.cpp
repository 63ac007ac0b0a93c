#include "cuda/cases.hpp"

namespace under_test {

std::map<std::string, Case>& value_cases() {
  static std::map<std::string, Case> all;
  return all;
}

}  // namespace under_test

#include "cuda/cases.hpp"

namespace under_test {

std::map<std::string, Case>& value_cases() {
  static std::map<std::string, Case> all;
  return all;
}
std::vector<Extra>& extra_cases() {
  static std::vector<Extra> all;
  return all;
}

}  // namespace under_test

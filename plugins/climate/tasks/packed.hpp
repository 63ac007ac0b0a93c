/// Arrays of numbers as text, for a task's state: base64 of little-endian float64.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::climate {

std::string pack(std::span<const double> values);
/// Throws climate.state where the text is no such array of `count` numbers.
std::vector<double> unpack(std::string_view text, std::size_t count);

}  // namespace tenon::climate

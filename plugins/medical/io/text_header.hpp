/// Pieces for checking text headers (NRRD, MetaImage) before a library sees the file, and for writing them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace tenon::medical {

std::string lower(std::string text);
std::string trimmed(const std::string& text);
/// Throws `code` when a header line holds anything but printable ASCII and tabs.
void require_printable(const std::string& line, const char* code);
/// Every number in `text`; brackets, commas and spaces separate, anything else ends the list with a NaN.
std::vector<double> numbers_of(const std::string& text);

/// Product of `count` whole positive sizes, at most 2^48; throws a data error `code` that names `field`.
std::uint64_t checked_product(const std::vector<double>& sizes, std::size_t count, const std::string& field, const char* code);
void require_finite(const std::string& text, const std::string& field, const char* code);
/// `matrix`: 4 or 9 numbers.
void require_invertible(const std::vector<double>& matrix, const std::string& field, const char* code);

/// A RAS vector as three numbers in LPS that read back to the same bits.
std::string lps_text(const std::array<double, 3>& ras, const char* separator);

}  // namespace tenon::medical

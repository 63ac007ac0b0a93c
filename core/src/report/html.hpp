/// Text for the page: escaping, numbers, data addresses. Everything that came from a file passes through here.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "tenon/task.hpp"

namespace tenon::report {

using Json = nlohmann::ordered_json;

/// Escapes & < > " ' so that the text is inert in content and in quoted attributes; control characters and broken
/// UTF-8 become U+FFFD.
std::string escape(std::string_view text);

/// `text` as one word of a POSIX shell: in single quotes unless it is plain.
std::string shell_quoted(const std::string& text);

/// JSON for a <script> block: no '<', so that nothing in the data can end the block.
std::string script_json(const Json& value);

std::string base64(std::span<const std::uint8_t> bytes);

/// A figure for people: 0.888, 12.35, 1.2e-05; an en dash for NaN.
std::string figure(double value);
/// The same with its sign: +0.146, −0.012.
std::string signed_figure(double value);
/// The style of a score beside a baseline: "better", "worse", or "soft" where they are equal or one of them is unknown.
const char* tone(const MetricColumn& column, double score, double baseline);
std::string grouped(std::int64_t value);     ///< 1 234 567 with narrow spaces
std::string duration(double seconds);        ///< 45.2 s, 3 min 02 s, 1 h 12 min
std::string utc_date(std::int64_t unix_ns);  ///< 2024-05-01 12:34 UTC

}  // namespace tenon::report

/// What the tools share: reading with the user's options, writing without overwriting, periods and boxes.
#pragma once

#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "climate/io/dataset.hpp"
#include "tenon/plugin.hpp"

namespace tenon::climate {

/// --variable, --mask, --time-order, --months, --time-format, --latitude, --longitude, --whole-records.
ParamSpec reading_params();
/// The same and --overwrite, --deflate, --classic.
ParamSpec writing_params();

/// Options as given; notes go to standard error, each once, with `path` before them.
ReadOptions read_options(const ParamValues& params, const std::filesystem::path& path, ToolContext& context);
std::unique_ptr<NetcdfFile> open_input(const std::filesystem::path& path, const ParamValues& params, ToolContext& context);
/// The variable of --variable, or the only one.
LabelledArray read_input(const std::filesystem::path& path, const ParamValues& params, ToolContext& context);

/// What a result was made from. The input's digest is taken on a thread of its own while the tool works; read before writing.
class Provenance {
 public:
  explicit Provenance(std::filesystem::path input);
  /// "tenon 0.1.0; input slp.nc sha256 9f86d081...".
  std::string text();

 private:
  std::filesystem::path input_;
  std::future<std::string> digest_;
};

/// Refuses infinite values (climate.not_finite), naming the first by time and place.
void require_no_infinity(const LabelledArray& array, const std::filesystem::path& path);
/// The same of some rows along the first axis, from row `first` on.
void require_no_infinity(const LabelledArray& labels, const Tensor& rows, std::int64_t first, const std::filesystem::path& path);

/// Throws run.interrupted once the user has asked for a stop: between blocks of work, before anything is in its place.
void stop_if_asked(ToolContext& context);
/// The same blocks, each held to both before it is given out.
VariableBlocks checked_blocks(VariableBlocks blocks, const std::filesystem::path& path, ToolContext& context);

/// Exactly two positional arguments, the second free to write; usage errors begin with the tool's name.
std::pair<std::filesystem::path, std::filesystem::path> in_and_out(const char* tool, const std::vector<std::string>& inputs, const ParamValues& params);
/// Writes and tells what was written. Attributes of the source's file are kept; `done` goes into `history`, the provenance into an attribute of its name.
void write_output(const std::filesystem::path& out, LabelledArray array, const NetcdfFile& source, Provenance& provenance, const ParamValues& params, const std::string& done,
                  ToolContext& context);

/// "2001/2006", "2001-03/2006-11-30": first and last moment, in ticks, both inside.
std::pair<std::int64_t, std::int64_t> parse_period(const std::string& text, Calendar calendar, const char* option);
/// Positions of a time axis within a period.
std::vector<std::int64_t> within(const Axis& time, std::pair<std::int64_t, std::int64_t> period);
/// Rows `order` of an axis of an array, coordinates and auxiliary arrays with them.
LabelledArray taken(const LabelledArray& array, int axis, const std::vector<std::int64_t>& order);
/// "2922 x 17 x 33, f32".
std::string one_line(const LabelledArray& array);

}  // namespace tenon::climate

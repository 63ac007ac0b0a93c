/// The plugin contract: what a `<name>.tenon.so` provides, and how it says so.
///
/// A plugin is one shared library built with `tenon_add_plugin`. Its `plugin.cpp` is its table of contents:
///
///     TENON_PLUGIN(tenon::Registrar& r) {
///       r.format({.name = "nifti", .help = "...", ...});
///       r.task({...});
///     }
///
/// The host reads an ABI record from a section of the file before it loads anything (see abi.hpp), refuses files
/// built for another core, and registers all or nothing. Names are written `<plugin>.<name>` in recipes.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tenon/labelled.hpp"
#include "tenon/nn/module.hpp"
#include "tenon/params.hpp"
#include "tenon/task.hpp"

namespace tenon {

/// A file format: sniff, read to labelled arrays, write.
struct FormatEntry {
  std::string name, help;
  std::vector<std::string> extensions;  ///< with dot, longest first: ".nii.gz", ".nii"
  /// Is this file (or folder) of this format? `head` holds its first 512 bytes or fewer; empty for folders.
  std::function<bool(const std::filesystem::path&, std::span<const std::byte> head)> sniff;
  ParamSpec params;
  std::function<LabelledArray(const std::filesystem::path&, const ParamValues&)> read;
  std::function<void(const std::filesystem::path&, const LabelledArray&, const ParamValues&)> write;  ///< may be empty
};

/// What a model is told besides its own parameters: the task knows these.
struct ModelContext {
  std::int64_t in_channels = 1, out_channels = 1;
  std::vector<std::int64_t> spatial;  ///< patch or input size
  DType compute = DType::f32;
  std::int64_t supervised = 0;  ///< resolutions, finest first, that the task's loss reads; 0: all that the model gives
};

/// In what context a model can be tried, on which inputs, and what it then gives: `tenon plugin check` makes and trains it there.
struct ModelExample {
  ModelContext context;  ///< a small one
  /// Inputs of a batch, other ones for another seed; empty: normal numbers [batch, spatial..., in_channels].
  std::function<Tensor(const ModelContext&, std::int64_t batch, std::uint64_t seed)> input;
  /// The result's shape; empty: [batch, spatial..., out_channels].
  std::function<Shape(const ModelContext&, std::int64_t batch)> output;
};

struct ModelEntry {
  std::string name, help;
  ParamSpec params;
  std::function<nn::ModulePtr(const ParamValues&, const ModelContext&)> make;
  std::optional<ModelExample> example = {};
  /// What ModelContext::compute may be, f32 among them: train.precision = "auto" takes bf16 only of a model that has it here, and other
  /// recipes are refused as they are read.
  std::vector<DType> computes = {DType::f32, DType::bf16, DType::f16};
};

struct TaskEntry {
  std::string name, help;
  /// Sections of the recipe that belong to the task, e.g. {"data", ...}, {"augment", ...}.
  std::vector<std::pair<std::string, ParamSpec>> sections;
  std::string default_model;
  std::function<std::unique_ptr<Task>(const TaskContext&)> make;
};

/// What a tool may use to talk to its user; the command implements it.
class ToolContext {
 public:
  virtual ~ToolContext() = default;
  virtual void print(const std::string& text) = 0;               ///< to standard output
  virtual void status(const std::string& text) = 0;              ///< to standard error
  virtual void progress(std::int64_t done, std::int64_t total) = 0;
  virtual bool json() const = 0;                                 ///< the user asked for JSON on standard output
  virtual bool interrupted() const = 0;
};

/// A classical numeric command, `tenon <plugin> <tool> INPUTS... [--param value]`.
struct ToolEntry {
  std::string name, help;
  std::string arguments;  ///< usage of the positional arguments: "INPUT... -o OUTPUT"
  ParamSpec params;
  std::function<int(const std::vector<std::string>& inputs, const ParamValues&, ToolContext&)> run;  ///< returns the exit status
};

class TENON_API Registrar {
 public:
  virtual ~Registrar();
  virtual void format(FormatEntry entry) = 0;
  virtual void model(ModelEntry entry) = 0;
  virtual void task(TaskEntry entry) = 0;
  virtual void tool(ToolEntry entry) = 0;
};

// ---- the host's side ------------------------------------------------------------------------------------------

/// `ready`: record read and accepted, not loaded yet (the first use or load_all() does).
enum class PluginState { active, refused, failed, ready };

struct PluginInfo {
  std::filesystem::path file;
  PluginState state = PluginState::refused;
  std::string code, reason;  ///< why not active: stable code ("plugin.abi_mismatch") and text
  std::string name, version, summary, licence;
  std::vector<std::string> provides;  ///< "format nifti", "task segmentation", ...
  std::vector<std::string> needs;     ///< plugins that are loaded before it
};

class TENON_API PluginHost {
 public:
  /// The one host of the process.
  static PluginHost& instance();
  /// Folders searched, in order: `extra`, TENON_PLUGIN_PATH, the user's data directory, the install prefix (or build tree).
  void set_extra_directories(std::vector<std::filesystem::path> extra);
  std::vector<std::filesystem::path> directories() const;
  /// Finds and reads records of every candidate file once; loads nothing.
  const std::vector<PluginInfo>& scan();
  /// Loads every acceptable plugin; never throws for a bad one, whose reason scan() then tells.
  void load_all();
  /// `<plugin>.<name>`, loading that plugin if need be. Throws a plugin error with the nearest names.
  const FormatEntry& format(const std::string& id);
  const ModelEntry& model(const std::string& id);
  const TaskEntry& task(const std::string& id);
  const ToolEntry& tool(const std::string& id);
  /// The format that takes this file, by sniffing; throws a data error that lists the known ones.
  const FormatEntry& format_of(const std::filesystem::path& file);
  /// The format to write a file of this name with, by extension.
  const FormatEntry& format_for_writing(const std::filesystem::path& file);
  std::vector<std::string> models(), tasks(), tools(), formats();
  /// Of each plugin that is not refused, its name and its page of error codes (read_error_page); those without a sound page are left out.
  /// Loads nothing.
  std::vector<std::pair<std::string, std::string>> error_pages();

 private:
  PluginHost();
  ~PluginHost();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Used by TENON_PLUGIN below; not for calling.
using PluginRegisterFn = void (*)(Registrar&);

}  // namespace tenon

/// Defines the one exported symbol of a plugin.
#define TENON_PLUGIN(argument)                                             \
  static void tenon_plugin_register_body(argument);                        \
  extern "C" __attribute__((visibility("default"))) void tenon_plugin_register(tenon::Registrar& registrar) { \
    tenon_plugin_register_body(registrar);                                 \
  }                                                                        \
  static void tenon_plugin_register_body(argument)

/// The ABI record of a plugin, and how it is read from a file that nobody trusts yet.
///
/// Plugin and core exchange C++ objects, so both must be built alike. `tenon_add_plugin` writes one `AbiRecord` into the
/// ELF section `.tenon_abi` of the plugin; the host reads it from the file's bytes, without loading the file, and refuses
/// the plugin when a field of its tag differs from the core's own.
///
/// The reader checks every offset and length before it uses it: a file of any content gives a record or a `tenon::Error`
/// of kind plugin, and costs a few small reads. It keeps nothing; all functions may be called from any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/export.hpp"

namespace tenon {

/// Raised when the plugin contract (plugin.hpp, task.hpp, ...) changes. Another number is refused.
inline constexpr std::uint32_t kPluginApi = 4;
inline constexpr char kAbiMagic[16] = "TENON-PLUGIN";
inline constexpr char kAbiSection[] = ".tenon_abi";
inline constexpr std::uint64_t kMaxPluginFile = std::uint64_t{512} << 20;
inline constexpr std::uint64_t kMaxAbiSection = std::uint64_t{64} << 10;
inline constexpr char kErrorsSection[] = ".tenon_errors";
inline constexpr std::uint64_t kMaxErrorsSection = std::uint64_t{1} << 20;

/// Fixed layout: no pointers, no padding, texts NUL-terminated. The fields up to `api_version` never move, so that a
/// record of any version can be told apart.
struct AbiRecord {
  char magic[16];
  std::uint32_t record_size;
  std::uint32_t api_version;
  char abi_tag[256];  ///< "core=0.1.0;compiler=gcc 12;...", see TENON_ABI_TAG
  char name[64];      ///< [a-z][a-z0-9_]*
  char version[32];
  char summary[256];    ///< one line
  char licence[64];     ///< SPDX identifier
  char provides[4096];  ///< one "<kind> <name>" a line; kinds: format, model, task, tool
  char needs[512];      ///< names of plugins that are loaded before this one, one a line
};
static_assert(sizeof(AbiRecord) == 5304 && alignof(AbiRecord) == 4, "the ABI record has no padding");

/// The record of a plugin given by its whole content.
TENON_API AbiRecord read_abi_record(std::span<const std::byte> file);
/// The record of an open file; `size` bytes of it are looked at.
TENON_API AbiRecord read_abi_record(int file_descriptor, std::uint64_t size);

/// The page of the plugin's error codes (ERRORS of tenon_add_plugin): Markdown, a section "## <code>" each. Empty: it brings none.
/// Throws plugin.bad_record for a page that is longer than kMaxErrorsSection or no printable UTF-8.
TENON_API std::string read_error_page(std::span<const std::byte> file);
TENON_API std::string read_error_page(int file_descriptor, std::uint64_t size);

/// "format nifti", "task segmentation", ...
TENON_API std::vector<std::string> provided_ids(const AbiRecord& record);
/// Names of the plugins that it needs.
TENON_API std::vector<std::string> needed_plugins(const AbiRecord& record);

/// The tag of this core library.
TENON_API std::string_view core_abi_tag();

/// A field in which two tags differ; "(none)" stands for a field that one of them lacks.
struct AbiDifference {
  std::string field, plugin, core;
};
TENON_API std::vector<AbiDifference> abi_differences(std::string_view plugin_tag, std::string_view core_tag);

/// Names of plugins, entries and parameters: [a-z][a-z0-9_]*, at most 63 characters.
TENON_API bool is_valid_name(std::string_view name) noexcept;

}  // namespace tenon

// ---- the tag: everything that changes how C++ objects are laid out or thrown ------------------------------------

#define TENON_ABI_TEXT_(x) #x
#define TENON_ABI_TEXT(x) TENON_ABI_TEXT_(x)

// Only major versions: gcc 12.2 and 12.3 agree on every layout.
#if defined(__clang__)
#define TENON_ABI_COMPILER "clang " TENON_ABI_TEXT(__clang_major__)
#elif defined(__GNUC__)
#define TENON_ABI_COMPILER "gcc " TENON_ABI_TEXT(__GNUC__)
#else
#error "Tenon plugins are built with GCC or Clang"
#endif

#if defined(_LIBCPP_VERSION)
#define TENON_ABI_LIBRARY "libc++ " TENON_ABI_TEXT(_LIBCPP_VERSION)
#else
#define TENON_ABI_LIBRARY "libstdc++ " TENON_ABI_TEXT(_GLIBCXX_RELEASE) " cxx11=" TENON_ABI_TEXT(_GLIBCXX_USE_CXX11_ABI)
#endif

#if defined(__has_feature)
#define TENON_ABI_HAS_FEATURE(x) __has_feature(x)
#else
#define TENON_ABI_HAS_FEATURE(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || TENON_ABI_HAS_FEATURE(address_sanitizer)
#define TENON_ABI_SANITIZER "address"
#elif defined(__SANITIZE_THREAD__) || TENON_ABI_HAS_FEATURE(thread_sanitizer)
#define TENON_ABI_SANITIZER "thread"
#else
#define TENON_ABI_SANITIZER "none"
#endif

#if defined(_GLIBCXX_DEBUG)
#define TENON_ABI_CHECKS "debug"
#elif defined(_GLIBCXX_ASSERTIONS)
#define TENON_ABI_CHECKS "assertions"
#else
#define TENON_ABI_CHECKS "none"
#endif

#if defined(__cpp_exceptions)
#define TENON_ABI_EXCEPTIONS "yes"
#else
#define TENON_ABI_EXCEPTIONS "no"
#endif
#if defined(__cpp_rtti)
#define TENON_ABI_RTTI "yes"
#else
#define TENON_ABI_RTTI "no"
#endif

namespace tenon {
enum PlainEnum { kPlainEnumerator };
static_assert(sizeof(PlainEnum) == 4, "plain enumerations have the size of int: compile without -fshort-enums");
}  // namespace tenon

/// A string literal of "field=value" parts; `core_version` is a literal too.
// clang-format off
#define TENON_ABI_TAG(core_version)                     \
  "core=" core_version                                  \
  ";compiler=" TENON_ABI_COMPILER                       \
  ";c++ ABI=" TENON_ABI_TEXT(__GXX_ABI_VERSION)         \
  ";c++ library=" TENON_ABI_LIBRARY                     \
  ";pointer size=" TENON_ABI_TEXT(__SIZEOF_POINTER__)   \
  ";sanitizer=" TENON_ABI_SANITIZER                     \
  ";library checks=" TENON_ABI_CHECKS                   \
  ";exceptions=" TENON_ABI_EXCEPTIONS                   \
  ";rtti=" TENON_ABI_RTTI
// clang-format on

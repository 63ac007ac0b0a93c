#include "tenon/abi.hpp"

#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <functional>
#include <optional>

#include "tenon/error.hpp"

namespace tenon {
namespace {

static_assert(std::endian::native == std::endian::little, "ELF fields are read as they lie in memory");
#if defined(__x86_64__)
constexpr std::uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t kMachine = EM_AARCH64;
#else
#error "the ELF machine number of this processor is not known"
#endif

// More sections than any linker writes into a plugin; keeps a hostile table from costing time.
constexpr std::uint64_t kMaxSections = 8192;

[[noreturn]] void refuse(const char* code, const std::string& what, const std::string& hint = {}) {
  throw Error(ErrorKind::plugin, code, what, hint);
}

// The bytes of the file, behind one bounds check.
class Bytes {
 public:
  using Fetch = std::function<void(std::uint64_t offset, std::span<std::byte> into)>;
  Bytes(std::uint64_t size, Fetch fetch) : size_(size), fetch_(std::move(fetch)) {}

  std::uint64_t size() const noexcept { return size_; }

  void read(std::uint64_t offset, std::span<std::byte> into, const char* what) const {
    need(offset, into.size(), what);
    fetch_(offset, into);
  }
  template <class T>
  T get(std::uint64_t offset, const char* what) const {
    T value;
    read(offset, std::as_writable_bytes(std::span<T, 1>(&value, 1)), what);
    return value;
  }
  void need(std::uint64_t offset, std::uint64_t length, const char* what) const {
    if (offset > size_ || length > size_ - offset) {
      refuse("plugin.truncated",
             std::string(what) + " lies at bytes " + std::to_string(offset) + " to " + std::to_string(offset + length) + ", the file has " +
                 std::to_string(size_),
             "the file is cut or broken: build or copy it again");
    }
  }

 private:
  std::uint64_t size_;
  Fetch fetch_;
};

Elf64_Ehdr read_header(const Bytes& file) {
  if (file.size() == 0) refuse("plugin.truncated", "the file is empty", "build or copy it again");
  if (file.size() > kMaxPluginFile) {
    refuse("plugin.too_large",
           "the file has " + std::to_string(file.size()) + " bytes, at most " + std::to_string(kMaxPluginFile) + " are looked at");
  }
  unsigned char start[EI_NIDENT] = {};
  const std::size_t n = std::min<std::uint64_t>(file.size(), sizeof start);
  file.read(0, std::as_writable_bytes(std::span(start, n)), "the ELF identification");
  if (std::memcmp(start, ELFMAG, std::min<std::size_t>(n, SELFMAG)) != 0) {
    refuse("plugin.not_elf", "this is not a shared library: it does not start with the ELF magic", "a plugin is made by tenon_add_plugin");
  }
  file.need(0, sizeof start, "the ELF identification");
  if (start[EI_CLASS] != ELFCLASS64 || start[EI_DATA] != ELFDATA2LSB) {
    refuse("plugin.wrong_architecture",
           "this is an ELF file of class " + std::to_string(start[EI_CLASS]) + " and byte order " + std::to_string(start[EI_DATA]) +
               ", wanted is 64-bit little-endian (2 and 1)",
           "build the plugin for this machine");
  }
  const auto header = file.get<Elf64_Ehdr>(0, "the ELF header");
  if (header.e_machine != kMachine) {
    refuse("plugin.wrong_architecture",
           "this file is for ELF machine " + std::to_string(header.e_machine) + ", this machine is " + std::to_string(kMachine),
           "build the plugin for this machine");
  }
  if (header.e_type != ET_DYN) {
    refuse("plugin.not_shared_library",
           "this ELF file has type " + std::to_string(header.e_type) + ", a shared library has " + std::to_string(ET_DYN),
           "a plugin is made by tenon_add_plugin");
  }
  return header;
}

bool lies_in(const Elf64_Phdr& part, const Elf64_Phdr& whole) {
  return part.p_vaddr >= whole.p_vaddr && part.p_memsz <= whole.p_memsz && part.p_vaddr - whole.p_vaddr <= whole.p_memsz - part.p_memsz;
}

// The loader maps and writes these ranges: one beyond the end of the file, or outside of what is mapped, would kill the process later.
std::vector<Elf64_Phdr> read_segments(const Bytes& file, const Elf64_Ehdr& header) {
  if (header.e_phnum == 0 || header.e_phentsize != sizeof(Elf64_Phdr))
    refuse("plugin.bad_elf", "the file has no usable program headers", "build it again");
  file.need(header.e_phoff, std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr), "the program header table");
  std::vector<Elf64_Phdr> segments(header.e_phnum);
  file.read(header.e_phoff, std::as_writable_bytes(std::span(segments)), "the program header table");
  const auto loaded = [](const Elf64_Phdr& s) { return s.p_type == PT_LOAD; };
  for (const Elf64_Phdr& segment : segments) {
    const bool within = segment.p_type == PT_DYNAMIC || segment.p_type == PT_GNU_RELRO || segment.p_type == PT_TLS;
    if (!loaded(segment) && !within) continue;
    if (segment.p_type != PT_GNU_RELRO) file.need(segment.p_offset, segment.p_filesz, "a segment");
    const bool wraps = segment.p_vaddr + segment.p_memsz < segment.p_vaddr;
    if (wraps || (loaded(segment) && segment.p_filesz > segment.p_memsz)) refuse("plugin.bad_elf", "a segment's sizes do not fit each other", "build it again");
    // Uninitialised thread-local data lie behind the segment's bytes, in no mapped range.
    Elf64_Phdr part = segment;
    if (segment.p_type == PT_TLS) part.p_memsz = segment.p_filesz;
    if (within && part.p_memsz > 0 && std::none_of(segments.begin(), segments.end(), [&](const Elf64_Phdr& s) { return loaded(s) && lies_in(part, s); }))
      refuse("plugin.bad_elf", "a segment of type " + std::to_string(segment.p_type) + " lies outside of what is loaded", "build it again");
  }
  return segments;
}

// The loader knows libraries by their DT_SONAME too: one with a path in it could stand for another plugin, which is loaded as /proc/self/fd/N.
void check_name(const Bytes& file, const std::vector<Elf64_Phdr>& segments) {
  const auto dynamic = std::find_if(segments.begin(), segments.end(), [](const Elf64_Phdr& s) { return s.p_type == PT_DYNAMIC; });
  if (dynamic == segments.end()) return;
  std::optional<std::uint64_t> name, texts;
  for (std::uint64_t at = 0; at + sizeof(Elf64_Dyn) <= dynamic->p_filesz && at < kMaxSections * sizeof(Elf64_Dyn); at += sizeof(Elf64_Dyn)) {
    const auto entry = file.get<Elf64_Dyn>(dynamic->p_offset + at, "the dynamic section");
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_SONAME) name = entry.d_un.d_val;
    if (entry.d_tag == DT_STRTAB) texts = entry.d_un.d_ptr;
  }
  if (!name) return;
  const std::uint64_t address = texts.value_or(0) + *name;
  for (const Elf64_Phdr& s : segments) {
    if (s.p_type != PT_LOAD || address < s.p_vaddr || address - s.p_vaddr >= s.p_filesz) continue;
    const std::uint64_t from = address - s.p_vaddr + s.p_offset, length = std::min<std::uint64_t>(256, s.p_filesz - (address - s.p_vaddr));
    std::string text(length, '\0');
    file.read(from, std::as_writable_bytes(std::span(text)), "the library's name");
    text.resize(std::min(text.size(), text.find('\0')));
    if (text.find('/') != std::string::npos) refuse("plugin.bad_elf", "its DT_SONAME is a path", "link it without -soname, or with the file's name");
    return;
  }
  refuse("plugin.bad_elf", "its DT_SONAME lies outside of what is loaded", "build it again");
}

std::vector<Elf64_Shdr> read_sections(const Bytes& file, const Elf64_Ehdr& header) {
  if (header.e_shoff == 0 || header.e_shnum == 0) {
    refuse("plugin.no_record", "the file has no section table, so no ABI record",
           "build it with tenon_add_plugin and do not remove its section headers");
  }
  if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shnum > kMaxSections || header.e_shstrndx >= header.e_shnum) {
    refuse("plugin.bad_elf",
           "the section table is inconsistent: " + std::to_string(header.e_shnum) + " entries of " + std::to_string(header.e_shentsize) +
               " bytes, names in section " + std::to_string(header.e_shstrndx),
           "build it again");
  }
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  file.read(header.e_shoff, std::as_writable_bytes(std::span(sections)), "the section table");
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_NULL && section.sh_type != SHT_NOBITS) file.need(section.sh_offset, section.sh_size, "a section");
  }
  return sections;
}

// `wanted` ends with the NUL that belongs to the name.
bool has_name(const Bytes& file, const Elf64_Shdr& names, const Elf64_Shdr& section, std::span<const char> wanted) {
  std::array<char, 32> name{};
  if (names.sh_size < wanted.size() || section.sh_name > names.sh_size - wanted.size()) return false;
  file.read(names.sh_offset + section.sh_name, std::as_writable_bytes(std::span(name).first(wanted.size())), "a section name");
  return std::equal(wanted.begin(), wanted.end(), name.begin());
}

template <std::size_t N>
std::optional<Elf64_Shdr> find_section(const Bytes& file, const std::vector<Elf64_Shdr>& sections, const Elf64_Shdr& names, const char (&wanted)[N]) {
  static_assert(N <= 32);
  std::optional<Elf64_Shdr> found;
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_PROGBITS || !has_name(file, names, section, wanted)) continue;
    if (found)
      refuse("plugin.bad_record", std::string("the file has more than one section ") + wanted, "build it with tenon_add_plugin, one call a plugin");
    found = section;
  }
  return found;
}

// ---- the record's own fields ----------------------------------------------------------------------------------

// Length of the well-formed UTF-8 character at the front of `s`, 0 if there is none; C0 and C1 controls count as none.
std::size_t printable_character(std::string_view s) {
  const auto byte = [s](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  const std::size_t length = first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
  if (length == 0 || s.size() < length) return 0;
  std::uint32_t point = first & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    point = point << 6 | (byte(i) & 0x3fU);
  }
  constexpr std::uint32_t kSmallest[] = {0, 0, 0xa0, 0x800, 0x10000};
  return point >= kSmallest[length] && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff) ? length : 0;
}

// Everything here ends up on a terminal and in JSON: well-formed, without control characters, ending within its field.
template <std::size_t N>
std::string_view text_of(const char (&field)[N], const char* name, bool lines = false) {
  const char* end = std::find(field, field + N, '\0');
  if (end == field + N) refuse("plugin.bad_record", std::string("field '") + name + "' of the ABI record does not end");
  const std::string_view text(field, static_cast<std::size_t>(end - field));
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = lines && text[i] == '\n' ? 1 : printable_character(text.substr(i));
    if (length == 0) refuse("plugin.bad_record", std::string("field '") + name + "' of the ABI record holds what is not printable UTF-8");
    i += length;
  }
  return text;
}

void check_provides(const AbiRecord& record) {
  std::vector<std::string> ids = provided_ids(record);
  for (const std::string& id : ids) {
    const auto space = id.find(' ');
    const std::string kind = id.substr(0, space), name = space == std::string::npos ? "" : id.substr(space + 1);
    if ((kind != "format" && kind != "model" && kind != "task" && kind != "tool") || !is_valid_name(name)) {
      refuse("plugin.bad_record", "the ABI record provides '" + id + "', which is not '<format|model|task|tool> <name>'",
             "mend PROVIDES of tenon_add_plugin");
    }
  }
  std::sort(ids.begin(), ids.end());
  if (const auto twice = std::adjacent_find(ids.begin(), ids.end()); twice != ids.end()) {
    refuse("plugin.duplicate_id", "the ABI record provides '" + *twice + "' twice", "mend PROVIDES of tenon_add_plugin");
  }
}

AbiRecord read_record(const Bytes& file) {
  const Elf64_Ehdr header = read_header(file);
  const std::vector<Elf64_Shdr> sections = read_sections(file, header);
  check_name(file, read_segments(file, header));
  const std::optional<Elf64_Shdr> there = find_section(file, sections, sections[header.e_shstrndx], kAbiSection);
  if (!there) refuse("plugin.no_record", "the file is a shared library but has no section .tenon_abi", "build it with tenon_add_plugin");
  const Elf64_Shdr& section = *there;
  if (section.sh_size > kMaxAbiSection) {
    refuse("plugin.bad_record",
           "section .tenon_abi has " + std::to_string(section.sh_size) + " bytes, at most " + std::to_string(kMaxAbiSection) + " are read");
  }
  constexpr std::size_t kFixedPart = offsetof(AbiRecord, abi_tag);
  if (section.sh_size < kFixedPart) {
    refuse("plugin.bad_record", "section .tenon_abi has " + std::to_string(section.sh_size) + " bytes, too few for an ABI record");
  }
  AbiRecord record{};
  const std::size_t length = std::min<std::uint64_t>(section.sh_size, sizeof record);
  file.read(section.sh_offset, std::as_writable_bytes(std::span(&record, 1)).first(length), "the ABI record");
  if (std::memcmp(record.magic, kAbiMagic, sizeof kAbiMagic) != 0)
    refuse("plugin.bad_record", "section .tenon_abi does not start with the record's magic");
  if (record.api_version != kPluginApi) {
    refuse("plugin.api_version",
           "the plugin is built for plugin API " + std::to_string(record.api_version) + ", this core offers " + std::to_string(kPluginApi),
           "build the plugin with this core's package");
  }
  if (record.record_size != sizeof record || section.sh_size != sizeof record) {
    refuse("plugin.bad_record", "the ABI record says " + std::to_string(record.record_size) + " bytes in a section of " +
                                    std::to_string(section.sh_size) + ", plugin API " + std::to_string(kPluginApi) + " has " +
                                    std::to_string(sizeof record));
  }
  text_of(record.abi_tag, "abi_tag");
  text_of(record.version, "version");
  text_of(record.summary, "summary");
  text_of(record.licence, "licence");
  text_of(record.provides, "provides", true);
  if (const auto name = text_of(record.name, "name"); !is_valid_name(name)) {
    refuse("plugin.bad_record", "the plugin calls itself '" + std::string(name) + "'",
           "names are lower-case letters, digits and underscores");
  }
  check_provides(record);
  text_of(record.needs, "needs", true);
  for (const std::string& need : needed_plugins(record))
    if (!is_valid_name(need) || need == record.name)
      refuse("plugin.bad_record", "the ABI record needs '" + need + "', which is not the name of another plugin", "mend NEEDS of tenon_add_plugin");
  return record;
}

std::string read_page(const Bytes& file) {
  const Elf64_Ehdr header = read_header(file);
  const std::vector<Elf64_Shdr> sections = read_sections(file, header);
  const std::optional<Elf64_Shdr> section = find_section(file, sections, sections[header.e_shstrndx], kErrorsSection);
  if (!section) return "";
  if (section->sh_size > kMaxErrorsSection) {
    refuse("plugin.bad_record",
           "section .tenon_errors has " + std::to_string(section->sh_size) + " bytes, at most " + std::to_string(kMaxErrorsSection) + " are read");
  }
  std::string text(section->sh_size, '\0');
  file.read(section->sh_offset, std::as_writable_bytes(std::span(text)), "the page of errors");
  text.resize(std::min(text.size(), text.find('\0')));
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = text[i] == '\n' ? 1 : printable_character(std::string_view(text).substr(i));
    if (length == 0) refuse("plugin.bad_record", "section .tenon_errors holds what is not printable UTF-8 at byte " + std::to_string(i), "mend ERRORS of tenon_add_plugin");
    i += length;
  }
  return text;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.empty()) lines.emplace_back(line);
  }
  return lines;
}

std::vector<std::pair<std::string, std::string>> tag_fields(std::string_view tag) {
  std::vector<std::pair<std::string, std::string>> fields;
  while (!tag.empty()) {
    const std::string_view part = tag.substr(0, tag.find(';'));
    tag.remove_prefix(std::min(tag.size(), part.size() + 1));
    const auto equals = part.find('=');
    fields.emplace_back(part.substr(0, equals), equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1));
  }
  return fields;
}

Bytes bytes_of(std::span<const std::byte> file) {
  return Bytes(file.size(), [file](std::uint64_t offset, std::span<std::byte> into) { std::memcpy(into.data(), file.data() + offset, into.size()); });
}

Bytes bytes_of(int file_descriptor, std::uint64_t size) {
  return Bytes(size, [file_descriptor](std::uint64_t offset, std::span<std::byte> into) {
    while (!into.empty()) {
      const ssize_t n = ::pread(file_descriptor, into.data(), into.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) refuse("plugin.unreadable", std::string("reading failed: ") + std::strerror(errno));
      if (n == 0) refuse("plugin.truncated", "the file became shorter while it was read", "scan again when it is complete");
      offset += static_cast<std::uint64_t>(n);
      into = into.subspan(static_cast<std::size_t>(n));
    }
  });
}

}  // namespace

AbiRecord read_abi_record(std::span<const std::byte> file) { return read_record(bytes_of(file)); }
AbiRecord read_abi_record(int file_descriptor, std::uint64_t size) { return read_record(bytes_of(file_descriptor, size)); }
std::string read_error_page(std::span<const std::byte> file) { return read_page(bytes_of(file)); }
std::string read_error_page(int file_descriptor, std::uint64_t size) { return read_page(bytes_of(file_descriptor, size)); }

std::vector<std::string> provided_ids(const AbiRecord& record) { return lines_of({record.provides, strnlen(record.provides, sizeof record.provides)}); }

std::vector<std::string> needed_plugins(const AbiRecord& record) { return lines_of({record.needs, strnlen(record.needs, sizeof record.needs)}); }

std::string_view core_abi_tag() {
  return TENON_ABI_TAG(TENON_VERSION);
}

std::vector<AbiDifference> abi_differences(std::string_view plugin_tag, std::string_view core_tag) {
  const auto plugin = tag_fields(plugin_tag), core = tag_fields(core_tag);
  const auto value = [](const auto& fields, const std::string& field) -> std::string {
    const auto it = std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.first == field; });
    return it == fields.end() ? "(none)" : it->second;
  };
  std::vector<AbiDifference> differences;
  for (const auto& [field, wanted] : core) {
    if (std::string got = value(plugin, field); got != wanted) differences.push_back({field, std::move(got), wanted});
  }
  for (const auto& [field, got] : plugin) {
    if (value(core, field) == "(none)") differences.push_back({field, got, "(none)"});
  }
  // Texts that differ in no field (an order, a repetition) are still not the same tag.
  if (differences.empty() && plugin_tag != core_tag) differences.push_back({"tag", std::string(plugin_tag), std::string(core_tag)});
  return differences;
}

bool is_valid_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > 63 || name[0] < 'a' || name[0] > 'z') return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

}  // namespace tenon

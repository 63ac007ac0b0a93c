#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <set>

#include "explain.hpp"
#include "plugin_check/elf.hpp"
#include "plugin_check/subject.hpp"
#include "tenon/error.hpp"

namespace tenon::command {
namespace {

/// Libraries that a plugin may not bring into a host, by the beginning of their names, and why.
struct Forbidden {
  const char* beginning;
  const char* why;
};
constexpr Forbidden kForbidden[] = {
    {"libpython", "plugins need no Python"},
    {"libtenon_cuda", "the backend is loaded by the core, where there is a device"},
    {"libtorch", "two tensor libraries in one process fight over threads"},
    {"libc10", "two tensor libraries in one process fight over threads"},
    {"libtcmalloc", "it would replace the host's allocator"},
    {"libjemalloc", "it would replace the host's allocator"},
    {"libmimalloc", "it would replace the host's allocator"},
    {"libasan", "sanitizers must be in the host first"},
    {"libtsan", "sanitizers must be in the host first"},
    {"libubsan", "sanitizers must be in the host first"},
    {"libc++", "the core is built with libstdc++: exceptions and strings would not fit"},
    {"libfftw3", "it is under the GPL"},
    {"libgsl", "it is under the GPL"},
    {"libreadline", "it is under the GPL"},
};

bool is_text(const char* field, std::size_t size) {
  const std::size_t length = ::strnlen(field, size);
  return length < size && std::all_of(field, field + length, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

bool is_version(const std::string& text) {  // 1.2 or 1.2.3, then -something
  const std::string number = text.substr(0, text.find('-'));
  int dots = 0;
  bool digit = false;
  for (char c : number) {
    if (c == '.') {
      if (!digit) return false;
      ++dots;
      digit = false;
    } else if (std::isdigit(static_cast<unsigned char>(c))) {
      digit = true;
    } else {
      return false;
    }
  }
  return digit && dots >= 1 && dots <= 2;
}

const PluginInfo& info_of(const Subject& s) {
  for (const PluginInfo& info : host_with(s).scan())
    if (info.file == s.linked) return info;
  throw CheckFailed{"the host does not see the file"};
}

}  // namespace

PluginHost& host_with(const Subject& s) {
  ::setenv("TENON_PLUGIN_TRIAL", "off", 1);  // each check is a process of its own already
  PluginHost& host = PluginHost::instance();
  static pid_t set = 0;  // once in a process: the host looks at every file again
  if (set != ::getpid()) {
    std::vector<std::filesystem::path> folders{s.folder};
    folders.insert(folders.end(), s.others.begin(), s.others.end());
    host.set_extra_directories(std::move(folders));
  }
  set = ::getpid();
  return host;
}

std::vector<std::string> entries_of(const Subject& s, const std::string& kind) {
  std::vector<std::string> out;
  for (const std::string& id : s.provides)
    if (id.starts_with(kind + " ")) out.push_back(id.substr(kind.size() + 1));
  return out;
}

std::vector<NamedCheck> file_checks(const Subject& s) {
  std::vector<NamedCheck> out;
  const auto add = [&](std::string name, std::function<void()> run) { out.push_back({std::move(name), std::move(run)}); };
  const auto of_record = [&](std::string name, std::function<void(const AbiRecord&)> run) {
    add(std::move(name), [&s, run = std::move(run)] { run(read_abi_record(s.bytes)); });
  };
  const auto of_elf = [&](std::string name, std::function<void(const DynamicFacts&)> run) {
    add(std::move(name), [&s, run = std::move(run)] { run(dynamic_facts(s.bytes)); });
  };

  add("file.name", [&s] { expect(s.file.filename().string().ends_with(".tenon.so"), "the name does not end in .tenon.so: no host would look at the file"); });
  add("file.size", [&s] { expect(s.bytes.size() <= kMaxPluginFile, "it has " + std::to_string(s.bytes.size()) + " bytes, a plugin has at most " + std::to_string(kMaxPluginFile)); });
  add("file.accepted", [&s] {
    const PluginInfo& info = info_of(s);
    expect(info.state != PluginState::refused, info.code + ": " + info.reason);
  });
  of_record("record.present", [](const AbiRecord&) {});
  of_record("record.api", [](const AbiRecord& r) { expect(r.api_version == kPluginApi, "plugin API " + std::to_string(r.api_version) + ", this core offers " + std::to_string(kPluginApi)); });
  of_record("record.abi", [](const AbiRecord& r) {
    std::string text;
    for (const AbiDifference& d : abi_differences(r.abi_tag, core_abi_tag())) text += (text.empty() ? "" : "; ") + d.field + " is '" + d.plugin + "', this core has '" + d.core + "'";
    expect(text.empty(), text);
  });
  of_record("record.name", [](const AbiRecord& r) { expect(is_valid_name(r.name), "'" + std::string(r.name) + "' is no name: lower-case letters, digits and underscores, a letter first"); });
  of_record("record.file_name", [&s](const AbiRecord& r) {
    expect(s.file.filename().string() == std::string(r.name) + ".tenon.so", "the record says '" + std::string(r.name) + "', the file is called " + s.file.filename().string());
  });
  of_record("record.version", [](const AbiRecord& r) { expect(is_version(r.version), "'" + std::string(r.version) + "' is no version: write 1.2 or 1.2.3 (VERSION of tenon_add_plugin)"); });
  of_record("record.summary", [](const AbiRecord& r) {
    expect(is_text(r.summary, sizeof r.summary) && std::strlen(r.summary) >= 10, "a line of 10 letters or more should say what the plugin is for (SUMMARY of tenon_add_plugin)");
  });
  of_record("record.licence", [](const AbiRecord& r) {
    const std::string licence = r.licence;
    const bool joined = licence.find(" OR ") != std::string::npos || licence.find(" AND ") != std::string::npos || licence.find(" WITH ") != std::string::npos;
    expect(!licence.empty() && is_text(r.licence, sizeof r.licence) && (joined || licence.find(' ') == std::string::npos),
           "'" + licence + "' is no SPDX identifier (LICENCE of tenon_add_plugin, such as Apache-2.0)");
  });
  of_record("record.provides", [](const AbiRecord& r) {
    const std::vector<std::string> ids = provided_ids(r);
    expect(!ids.empty(), "the record says that the plugin provides nothing (PROVIDES of tenon_add_plugin)");
    std::set<std::string> seen;
    for (const std::string& id : ids) expect(seen.insert(id).second, "'" + id + "' is provided twice");
  });
  add("record.errors", [&s] {
    const std::string name = read_abi_record(s.bytes).name;
    std::set<std::string> families{name}, seen;
    for (const std::string& format : entries_of(s, "format")) families.insert(format);
    const std::string page = "\n" + read_error_page(s.bytes);
    std::size_t headings = 0;
    for (std::size_t at = page.find("\n## "); at != std::string::npos; at = page.find("\n## ", at + 1)) ++headings;
    const std::vector<Explanation> explained = explanations_of(std::string_view(page).substr(1));
    expect(explained.size() == headings, "the page of errors has " + std::to_string(headings) + " sections \"## ...\", " + std::to_string(explained.size()) + " of them headed by a code: lower-case letters, digits, underscores and a dot");
    for (const Explanation& e : explained) {
      expect(families.count(e.code.substr(0, e.code.find('.'))) > 0 && e.code.find('.') != std::string::npos,
             "the page of errors explains '" + e.code + "': codes of this plugin begin with '" + name + ".' (ERRORS of tenon_add_plugin)");
      expect(seen.insert(e.code).second, "the page of errors explains '" + e.code + "' twice");
      expect(e.title().size() > 10, "the section '" + e.code + "' of the page of errors does not begin with a line that says what happened");
    }
  });
  of_elf("elf.exports", [](const DynamicFacts& d) {
    std::string extra;
    bool entry = false;
    for (const std::string& symbol : d.exports) {
      if (symbol == "tenon_plugin_register") entry = true;
      else if (extra.size() < 200) extra += " " + symbol;
    }
    expect(entry, "tenon_plugin_register is not exported: TENON_PLUGIN defines it");
    expect(extra.empty(), "more is exported than tenon_plugin_register:" + extra);
  });
  of_elf("elf.needs_core", [](const DynamicFacts& d) {
    expect(std::any_of(d.needed.begin(), d.needed.end(), [](const std::string& n) { return n.starts_with("libtenon.so"); }), "it is not linked to libtenon.so: use tenon_add_plugin, or link Tenon::core");
  });
  of_elf("elf.libraries", [](const DynamicFacts& d) {
    std::string text;
    for (const std::string& n : d.needed) {
      for (const Forbidden& f : kForbidden)
        if (n.starts_with(f.beginning)) text += (text.empty() ? "" : "; ") + n + ": " + f.why;
      if (n.ends_with(".tenon.so")) text += (text.empty() ? "" : "; ") + n + ": plugins do not link each other";
    }
    expect(text.empty(), text);
  });
  of_elf("elf.run_path", [](const DynamicFacts& d) {
    expect(d.run_path.find("$ORIGIN") == std::string::npos, "the run path " + d.run_path + " names $ORIGIN, which is not the plugin's folder: the host loads a descriptor");
    for (std::size_t at = 0; at < d.run_path.size();) {
      const std::size_t end = std::min(d.run_path.find(':', at), d.run_path.size());
      expect(d.run_path[at] == '/', "the run path " + d.run_path + " has a relative part: it would depend on the folder that the user is in");
      at = end + 1;
    }
  });
  of_elf("elf.text_relocations", [](const DynamicFacts& d) { expect(!d.text_relocations, "its code is changed while it is loaded: compile with -fPIC"); });
  of_elf("elf.stack", [](const DynamicFacts& d) { expect(!d.executable_stack, "it asks for a stack that can be executed: assembler files want a .note.GNU-stack section"); });
  of_elf("elf.relro", [](const DynamicFacts& d) { expect(d.read_only_relocations, "its table of functions stays writable: link with -z relro"); });
  return out;
}

}  // namespace tenon::command

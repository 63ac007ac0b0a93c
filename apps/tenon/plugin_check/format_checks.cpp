#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <optional>
#include <set>

#include "plugin_check/memory.hpp"
#include "plugin_check/subject.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/random.hpp"
#include "tenon/tenon.hpp"
#include "tenon/surroundings.hpp"

namespace tenon::command {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::byte>;

/// The file itself, or, of an image that is a folder of files, the first of them.
fs::path first_file(const fs::path& path) {
  if (!fs::is_directory(path)) return path;
  std::vector<fs::path> all;
  for (const auto& entry : fs::recursive_directory_iterator(path))
    if (entry.is_regular_file()) all.push_back(entry.path());
  std::sort(all.begin(), all.end());
  expect(!all.empty(), "a folder that was written is empty: " + path.filename().string());
  return all.front();
}

Bytes bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  Bytes out(text.size());
  std::memcpy(out.data(), text.data(), text.size());
  return out;
}

void write_bytes(const fs::path& file, const Bytes& bytes) {
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
}

/// A small array of `rank` axes with coordinates, whole numbers that any type holds.
LabelledArray sample(int rank) {
  LabelledArray a;
  Shape shape;
  static const char* const kNames[] = {"time", "level", "lat", "lon"};
  for (int i = 0; i < rank; ++i) {
    const std::int64_t n = 3 + i;
    shape.push_back(n);
    Axis axis;
    axis.name = rank == 3 ? std::string(1, "zyx"[i]) : kNames[4 - rank + i];
    axis.unit = rank == 3 ? "mm" : "";
    for (std::int64_t k = 0; k < n; ++k) axis.coordinates.push_back(double(k));
    a.axes.push_back(std::move(axis));
  }
  std::vector<float> values(std::size_t(shape.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = float(int(i % 50));
  a.values = Tensor::from(values, shape);
  a.name = "sample";
  if (rank == 3) a.affine = Affine{{{{0, 0, 1, 0}, {0, 1, 0, 0}, {1, 0, 0, 0}}}, "RAS"};
  return a;
}

/// A file that the format's writer makes of the first sample array that it takes: its array. Nothing where it takes none; `why` tells.
std::optional<LabelledArray> write_sample(const FormatEntry& entry, const fs::path& file, std::string& why) {
  for (int rank : {3, 2, 1, 4}) {
    try {
      LabelledArray array = sample(rank);
      entry.write(file, array, ParamValues(entry.params));
      return array;
    } catch (const Error& e) {
      why = e.message();
    }
  }
  return {};
}

/// A format and a good file of it: the example that was named, or one that its writer makes.
struct Tried {
  const FormatEntry& entry;
  fs::path folder, file;
  LabelledArray written;
  bool is_ours = false;

  Tried(const Subject& s, const std::string& name, bool needs_file = true) : entry(host_with(s).format(s.name() + "." + name)) {
    folder = s.folder / ("format" + std::to_string(::getpid()));
    fs::create_directory(folder);
    if (!s.example.empty() && entry.sniff(s.example, head(s.example))) {
      file = folder / fs::path(s.example).filename();
      fs::copy(s.example, file, fs::copy_options::recursive);
      return;
    }
    if (!needs_file) return;
    if (!entry.write || entry.extensions.empty()) throw CheckSkipped{"the format has no writer: name a file of it with --example"};
    std::string why;
    file = folder / ("sample" + entry.extensions[0]);
    if (auto array = write_sample(entry, file, why)) {
      written = std::move(*array);
      is_ours = true;
      return;
    }
    throw CheckSkipped{"its writer takes none of the sample arrays (" + why + "): name a file with --example"};
  }
  static Bytes head(const fs::path& file) {
    if (fs::is_directory(file)) return {};  // as the host has it
    Bytes b = bytes_of(file);
    b.resize(std::min<std::size_t>(b.size(), 512));
    return b;
  }
  LabelledArray read(const fs::path& from) const { return entry.read(from, ParamValues(entry.params)); }
  Bytes bytes() const { return bytes_of(first_file(file)); }
  /// A copy of the good file with other bytes (of a folder: in its first file).
  fs::path altered(const std::string& stem, const Bytes& bytes) const {
    const fs::path copy = named(stem);
    if (!fs::is_directory(file)) {
      write_bytes(copy, bytes);
      return copy;
    }
    std::error_code ignored;
    fs::remove_all(copy, ignored);
    fs::copy(file, copy, fs::copy_options::recursive);
    write_bytes(first_file(copy), bytes);
    return copy;
  }
  fs::path named(const std::string& stem) const { return folder / (stem + (entry.extensions.empty() ? "" : entry.extensions[0])); }
};

/// Throws unless the error is one that a user can act on: of the data, with a code and a reason, and with the file in it.
void expect_clear(const Error& e, const fs::path& file, const std::string& what) {
  expect(e.kind() == ErrorKind::data || e.kind() == ErrorKind::usage, what + " ends in " + e.code() + ": " + e.message());
  expect(!e.code().empty() && e.message().size() >= 4, what + " is refused without a code or a reason");
  // A broken head may lead to another file beside it.
  const auto named = [&](const std::string& part) { return e.where().find(part) != std::string::npos || e.message().find(part) != std::string::npos; };
  expect(named(file.filename().string()) || named(file.parent_path().string()), what + ": the error does not name the file: " + e.message());
}

/// A clear error, or a result: true.
bool reads_or_refuses(const Tried& t, const fs::path& file, const std::string& what) {
  try {
    t.read(file);
    return true;
  } catch (const Error& e) {
    expect_clear(e, file, what);
    return false;
  }
}
void refuses(const Tried& t, const fs::path& file, const std::string& what) {
  if (reads_or_refuses(t, file, what)) throw CheckFailed{what + " is read without a word"};
}

/// Where two arrays differ; empty: nowhere.
std::string difference(const Tensor& a, const Tensor& b) {
  if (!(a.shape() == b.shape())) return a.str() + " and " + b.str();
  const std::vector<double> x = a.to(DType::f64).to_vector(), y = b.to(DType::f64).to_vector();
  for (std::size_t i = 0; i < x.size(); ++i)
    if (x[i] != y[i] && !(std::isnan(x[i]) && std::isnan(y[i]))) return "value " + std::to_string(i) + " is " + std::to_string(x[i]) + " and " + std::to_string(y[i]);
  return {};
}

/// Of files without a header that count their own records: a shorter file is a shorter series, where all that is there is right.
bool is_prefix(const Tensor& part, const Tensor& whole) {
  if (part.rank() != whole.rank() || part.rank() < 1 || part.size(0) >= whole.size(0)) return false;
  return difference(part, whole.narrow(0, 0, part.size(0)).contiguous()).empty();
}

/// Do cuts of the good file read as shorter series, of more than one length? Then nothing in a file of this format tells what it should hold.
bool has_no_header(const Tried& t) {
  const Bytes whole = t.bytes();
  const LabelledArray good = t.read(t.file);
  std::set<std::int64_t> lengths;
  for (int percent = 1; percent < 100; ++percent) {
    try {
      const LabelledArray a = t.read(t.altered("part", Bytes(whole.begin(), whole.begin() + std::ptrdiff_t(whole.size() * std::size_t(percent) / 100))));
      if (is_prefix(a.values, good.values)) lengths.insert(a.values.size(0));
      if (lengths.size() > 1) return true;
    } catch (const Error&) {
    }
  }
  return false;
}

bool same_values(const Tensor& a, const Tensor& b) { return difference(a, b).empty(); }

}  // namespace

std::vector<NamedCheck> format_checks(const Subject& s) {
  std::vector<NamedCheck> out;
  for (const std::string& name : entries_of(s, "format")) {
    const std::string last = "format.surroundings " + name;
    const auto load = [&s, name] { host_with(s).format(s.name() + "." + name); };
    const auto add = [&](const std::string& check, std::function<void(const Tried&)> run, bool needs_file = true) {
      out.push_back({"format." + check + " " + name, [&s, name, needs_file, run = std::move(run)] {
                       const Tried t(s, name, needs_file);
                       run(t);
                       std::error_code ignored;
                       fs::remove_all(t.folder, ignored);
                     }, load, last});
    };
    add("extensions", [](const Tried& t) {
      for (const std::string& e : t.entry.extensions) {
        expect(e.size() >= 2 && e[0] == '.', "'" + e + "' does not begin with a dot");
        for (char c : e) expect(!(c >= 'A' && c <= 'Z'), "'" + e + "' has capital letters: matching takes no account of case");
      }
      for (std::size_t i = 0; i < t.entry.extensions.size(); ++i)
        for (std::size_t before = 0; before < i; ++before)
          expect(!t.entry.extensions[i].ends_with(t.entry.extensions[before]), "'" + t.entry.extensions[i] + "' is never met: '" + t.entry.extensions[before] + "' comes first");
    }, false);
    add("sniff_junk", [](const Tried& t) {
      // A line of words may be a table with commas to a format of text; the others are no format's but their own.
      for (const auto& [text, what] : {std::pair{"hello, world\n", ""}, {"", "an empty file"}, {"<html><body>404</body></html>", "a page of HTML"}, {"%PDF-1.4", "a PDF"}, {"\x7f" "ELF", "a program"}}) {
        const fs::path file = t.folder / "some.xyz";
        const Bytes b(reinterpret_cast<const std::byte*>(text), reinterpret_cast<const std::byte*>(text) + std::strlen(text));
        write_bytes(file, b);
        expect(!t.entry.sniff(file, b) || *what == '\0', std::string("it takes ") + what + " (some.xyz) for its own: no other format would ever see one");
      }
      t.entry.sniff(t.folder, {});
      const Random random(3, 0);
      int taken = 0;
      for (int i = 0; i < 200; ++i) {
        Bytes b(std::size_t(random.below(std::uint64_t(i), 513)));
        for (std::size_t k = 0; k < b.size(); ++k) b[k] = std::byte(random.below(std::uint64_t(1000 + i) * 1000 + k, 256));
        taken += t.entry.sniff(t.folder / "nothing.xyz", b);
      }
      expect(taken <= 4, "it takes " + std::to_string(taken) + " of 200 files of random bytes for its own");
    }, false);
    add("sniff_own", [](const Tried& t) {
      expect(t.entry.sniff(t.file, Tried::head(t.file)), "it does not know its own file");
      const fs::path plain = t.folder / "no_extension";
      fs::copy(t.file, plain, fs::copy_options::recursive);
      try {
        t.entry.sniff(plain, Tried::head(plain));
      } catch (const Error& e) {
        throw CheckFailed{"a file without its extension makes sniff throw: " + e.message()};
      }
    });
    add("reads_own", [](const Tried& t) {
      const LabelledArray a = t.read(t.file);
      expect(a.values.defined() && a.values.rank() == int(a.axes.size()), "it gives " + std::to_string(a.axes.size()) + " axes for values " + (a.values.defined() ? a.values.str() : "that are undefined"));
      for (std::size_t i = 0; i < a.axes.size(); ++i) {
        expect(!a.axes[i].name.empty(), "axis " + std::to_string(i) + " has no name");
        expect(a.axes[i].coordinates.empty() || std::int64_t(a.axes[i].coordinates.size()) == a.values.size(int(i)), "axis '" + a.axes[i].name + "' has another number of coordinates than positions");
      }
    });
    add("reads_twice", [](const Tried& t) { expect(same_values(t.read(t.file).values, t.read(t.file).values), "the second reading gives other values"); });
    add("round_trip", [](const Tried& t) {
      if (!t.entry.write) throw CheckSkipped{"the format has no writer"};
      const LabelledArray before = t.read(t.file);
      const fs::path again = t.named("again");
      t.entry.write(again, before, ParamValues(t.entry.params));
      const std::string changed = difference(before.values, t.read(again).values);
      expect(changed.empty(), "read, and read again after it was written: " + changed);
      const std::string lost = t.is_ours ? difference(t.written.values.reshape({-1}), before.values.reshape({-1})) : std::string();
      expect(lost.empty(), "what was written and what is read: " + lost);
    });
    add("missing_file", [](const Tried& t) { refuses(t, t.named("not_there"), "a file that is not there"); }, false);
    add("folder", [](const Tried& t) {
      const fs::path folder = t.named("folder");
      fs::create_directory(folder);
      reads_or_refuses(t, folder, "an empty folder");
    }, false);
    add("empty_file", [](const Tried& t) {
      write_bytes(t.named("empty"), {});
      refuses(t, t.named("empty"), "an empty file");
    }, false);
    add("random_bytes", [&s, name](const Tried& t) {
      const Random random(4, 0);
      int taken = 0;
      for (int i = 0; i < 60; ++i) {
        Bytes b(std::size_t(1 + random.below(std::uint64_t(i), 4000)));
        for (std::size_t k = 0; k < b.size(); ++k) b[k] = std::byte(random.below(std::uint64_t(1000 + i) * 10000 + k, 256));
        write_bytes(t.named("random"), b);
        taken += reads_or_refuses(t, t.named("random"), "a file of random bytes");
      }
      if (taken == 0) return;
      std::error_code ignored;
      fs::remove_all(t.folder, ignored);  // anew, with a good file: skipped where there is none
      expect(has_no_header(Tried(s, name)), std::to_string(taken) + " of 60 files of random bytes are read without a word");
    }, false);
    add("cut", [](const Tried& t) {
      const Bytes whole = t.bytes();
      const LabelledArray good = t.read(t.file);
      int silent = 0;
      std::string where;
      for (int percent = 0; percent < 100; ++percent) {
        const fs::path file = t.altered("cut", Bytes(whole.begin(), whole.begin() + std::ptrdiff_t(whole.size() * std::size_t(percent) / 100)));
        try {
          const LabelledArray a = t.read(file);
          if (!same_values(a.values, good.values) && !is_prefix(a.values, good.values)) ++silent, where = std::to_string(percent);
        } catch (const Error& e) {
          expect_clear(e, file, "a file cut at " + std::to_string(percent) + " %");
        }
      }
      expect(silent == 0, "cut at " + where + " % (and " + std::to_string(silent - 1) + " other places) it is read without a word, with other values");
    });
    add("flipped", [](const Tried& t) {
      const Bytes whole = t.bytes();
      expect(!whole.empty(), "its own file is empty");
      const Random random(5, 0);
      for (int i = 0; i < 200; ++i) {
        Bytes b = whole;
        b[std::size_t(random.below(std::uint64_t(2 * i), whole.size()))] ^= std::byte(1 + random.below(std::uint64_t(2 * i + 1), 255));
        reads_or_refuses(t, t.altered("flipped", b), "a file with one byte changed");
      }
    });
    out.back().may_leave = 4;  // of 200 readings
    add("longer", [](const Tried& t) {
      Bytes b = t.bytes();
      b.resize(b.size() + 1000, std::byte{'x'});
      reads_or_refuses(t, t.altered("longer", b), "a file with a thousand bytes more");
    });
    add("leaves_file", [](const Tried& t) {
      const Bytes before = t.bytes();
      t.read(t.file);
      expect(before == t.bytes(), "reading changes the file");
    });
    add("write_refused", [](const Tried& t) {
      if (!t.entry.write) throw CheckSkipped{"the format has no writer"};
      const LabelledArray a = t.read(t.file);
      const fs::path nowhere = t.folder / "no_such_folder" / t.file.filename();
      try {
        t.entry.write(nowhere, a, ParamValues(t.entry.params));
      } catch (const Error& e) {
        expect(e.kind() == ErrorKind::data || e.kind() == ErrorKind::usage || e.kind() == ErrorKind::device, "a folder that is not there ends in " + e.code() + ": " + e.message());
        return;
      }
      expect(fs::exists(nowhere), "a folder that is not there: nothing is written, and nothing said");
    });
    add("write_leaves_no_scraps", [](const Tried& t) {
      if (!t.entry.write) throw CheckSkipped{"the format has no writer"};
      const LabelledArray a = t.read(t.file);
      const fs::path folder = t.folder / "scraps";
      fs::create_directory(folder);
      t.entry.write(folder / t.file.filename(), a, ParamValues(t.entry.params));
      for (const auto& entry : fs::directory_iterator(folder))
        expect(entry.path().filename().string().starts_with(t.file.stem().stem().string()), "beside the file it leaves " + entry.path().filename().string());
    });
    add("memory", [&s](const Tried& t) {
      expect_memory_returned([&] { t.read(t.file); }, 40, 0.3 * s.seconds, "reading");
      const fs::path broken = t.altered("broken", Bytes(10, std::byte{0x80}));
      expect_memory_returned([&] { reads_or_refuses(t, broken, "a broken file"); }, 40, 0.2 * s.seconds, "reading of a broken file");
    });
    add("surroundings", [](const Tried& t) {
      for (int i = 0; i < 3; ++i) t.read(t.file);
      const Surroundings before;
      for (int i = 0; i < 4; ++i) t.read(t.file);
      const std::size_t threads = settled(before, 0).threads;
      expect(threads <= before.threads, std::to_string(threads - before.threads) + " threads stay of four readings");
    });
    out.back().told_by.clear();
  }
  return out;
}

std::vector<fs::path> sample_files(const Subject& s, const fs::path& folder) {
  std::vector<fs::path> out;
  if (!s.example.empty()) out.emplace_back(s.example);
  for (const std::string& name : entries_of(s, "format")) {
    const FormatEntry& entry = host_with(s).format(s.name() + "." + name);
    std::string why;
    if (!entry.write || entry.extensions.empty()) continue;
    const fs::path file = folder / (name + entry.extensions[0]);
    if (write_sample(entry, file, why)) out.push_back(file);
  }
  return out;
}

}  // namespace tenon::command

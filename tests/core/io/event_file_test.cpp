#include "tenon/io/event_file.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

#include "core/io/temporary_folder.hpp"

using namespace tenon;

namespace {

// A reader of its own, bit by bit where the writer has tables: it shares no code with the writer.
std::uint32_t slow_crc32c(const std::string& bytes) {
  std::uint32_t crc = 0xffffffffu;
  for (const char c : bytes)
    for (int bit = 0; bit < 8; ++bit) {
      const bool one = ((crc ^ (std::uint32_t(static_cast<unsigned char>(c)) >> bit)) & 1) != 0;
      crc = (crc >> 1) ^ (one ? 0x82f63b78u : 0);
    }
  return ~crc;
}
std::uint32_t masked(const std::string& bytes) {
  const std::uint32_t crc = slow_crc32c(bytes);
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

struct Field {
  int number;
  std::uint64_t whole = 0;  ///< of varints and fixed sizes
  std::string bytes;
};

std::vector<Field> fields(const std::string& message) {
  std::vector<Field> all;
  std::size_t at = 0;
  const auto varint = [&] {
    std::uint64_t v = 0;
    for (int shift = 0;; shift += 7) {
      REQUIRE(at < message.size());
      const auto byte = std::uint64_t(static_cast<unsigned char>(message[at++]));
      v |= (byte & 127) << shift;
      if (byte < 128) return v;
    }
  };
  while (at < message.size()) {
    const std::uint64_t key = varint();
    Field f{int(key >> 3), 0, {}};
    const std::size_t size = (key & 7) == 1 ? 8 : (key & 7) == 5 ? 4 : 0;
    if ((key & 7) == 0) {
      f.whole = varint();
    } else if ((key & 7) == 2) {
      const auto length = std::size_t(varint());
      REQUIRE(at + length <= message.size());
      f.bytes = message.substr(at, length);
      at += length;
    } else {
      REQUIRE(size > 0);
      REQUIRE(at + size <= message.size());
      std::memcpy(&f.whole, message.data() + at, size);
      at += size;
    }
    all.push_back(std::move(f));
  }
  return all;
}

struct Read {
  std::string version;
  std::vector<std::pair<std::int64_t, std::map<std::string, float>>> events;
  std::size_t torn = 0;  ///< bytes at the end that are no record
};

Read read(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(in), {}};
  Read out;
  std::size_t at = 0;
  while (all.size() - at >= 16) {
    std::uint64_t size = 0;
    std::uint32_t crc = 0;
    std::memcpy(&size, all.data() + at, 8);
    std::memcpy(&crc, all.data() + at + 8, 4);
    if (at + 16 + size > all.size()) break;
    CHECK(crc == masked(all.substr(at, 8)));
    const std::string message = all.substr(at + 12, size);
    std::memcpy(&crc, all.data() + at + 12 + size, 4);
    CHECK(crc == masked(message));
    at += 16 + size;
    std::int64_t step = 0;
    std::map<std::string, float> values;
    for (const Field& f : fields(message)) {
      if (f.number == 1) {
        double time = 0;
        std::memcpy(&time, &f.whole, 8);
        CHECK(time > 1.7e9);
      }
      if (f.number == 2) step = std::int64_t(f.whole);
      if (f.number == 3) out.version = f.bytes;
      if (f.number != 5) continue;
      for (const Field& value : fields(f.bytes)) {
        std::string tag;
        float number = 0;
        for (const Field& part : fields(value.bytes)) {
          if (part.number == 1) tag = part.bytes;
          if (part.number == 2) std::memcpy(&number, &part.whole, 4);
        }
        values[tag] = number;
      }
    }
    if (!values.empty()) out.events.emplace_back(step, values);
  }
  out.torn = all.size() - at;
  return out;
}

}  // namespace

TEST_CASE("CRC-32C of the known texts", "[event_file]") {
  const std::string digits = "123456789", zeros(32, '\0');
  CHECK(crc32c_of(std::as_bytes(std::span(digits))) == 0xe3069283u);  // the check value of CRC-32C
  CHECK(crc32c_of(std::as_bytes(std::span(zeros))) == 0x8a9136aau);   // RFC 3720, B.4
  CHECK(slow_crc32c(digits) == 0xe3069283u);
}

TEST_CASE("scalars are read back by another reader", "[event_file]") {
  const TemporaryFolder folder("events");
  const EventFile file(folder.path / "tensorboard");
  for (std::int64_t step : {1, 127, 128, 300, 5000000}) file.scalars(step, {{"train/loss", 1.0 / double(step)}, {"validation/score", -2}});
  const Read r = read(file.path());
  CHECK(r.version == "brain.Event:2");
  CHECK(r.torn == 0);
  REQUIRE(r.events.size() == 5);
  CHECK(r.events[2].first == 128);
  CHECK(r.events[4].first == 5000000);
  CHECK(r.events[3].second == std::map<std::string, float>{{"train/loss", float(1.0 / 300)}, {"validation/score", -2.0f}});
}

TEST_CASE("a resumed run goes on in the same file, without the steps that it repeats or a torn end", "[event_file]") {
  const TemporaryFolder folder("events");
  const std::filesystem::path path = [&] {
    const EventFile file(folder.path);
    for (std::int64_t step = 10; step <= 200; step += 10) file.scalars(step, {{"loss", double(step)}});
    return file.path();
  }();
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 5);  // killed while it wrote
  CHECK(read(path).torn > 0);
  const EventFile again(folder.path);
  CHECK(again.path() == path);
  again.trim(130);
  again.scalars(140, {{"loss", 1}});
  const Read r = read(path);
  CHECK(r.version == "brain.Event:2");
  CHECK(r.torn == 0);
  REQUIRE(r.events.size() == 14);
  CHECK(r.events[12].first == 130);
  CHECK(r.events[13].second.at("loss") == 1.0f);
}

TEST_CASE("TensorBoard itself reads the file", "[event_file]") {
  if (std::system("python3 -c 'import tensorboard' 2>/dev/null") != 0) {
    WARN("skipped: the Python package tensorboard is not installed");
    return;
  }
  const TemporaryFolder folder("events");
  const EventFile file(folder.path);
  file.scalars(7, {{"train/loss", 0.25}});
  const std::string script =
      "from tensorboard.backend.event_processing.event_accumulator import EventAccumulator as E\n"
      "e = E('" + folder.path.string() + "'); e.Reload(); s = e.Scalars('train/loss')\n"
      "assert [(x.step, x.value) for x in s] == [(7, 0.25)], s\n";
  std::ofstream(folder / "check.py") << script;
  CHECK(std::system(("python3 " + (folder / "check.py").string()).c_str()) == 0);
}

#include "tenon/io/event_file.hpp"

#include <array>
#include <bit>
#include <chrono>
#include <cstring>

#include "tenon/io/file.hpp"

namespace tenon {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::array<std::uint32_t, 256> crc32c_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = (c & 1) ? (c >> 1) ^ 0x82f63b78u : c >> 1;
    table[i] = c;
  }
  return table;
}

/// TFRecord does not store a CRC as it is, because a CRC of bytes that hold their own CRC says little.
std::uint32_t masked_crc(std::string_view bytes) {
  const std::uint32_t crc = crc32c_of(std::as_bytes(std::span(bytes.data(), bytes.size())));
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

template <class T> void put(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

template <class T> T get(std::string_view bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

// ---- protobuf's wire format: a key (field number and type), then the value -----------------------------------------
enum WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += char(value | 0x80);
  out += char(value);
}
void put_key(std::string& out, int field, WireType type) { put_varint(out, std::uint64_t(field) << 3 | type); }
void put_bytes(std::string& out, int field, std::string_view bytes) {
  put_key(out, field, kBytes);
  put_varint(out, bytes.size());
  out += bytes;
}

/// The step of an event that we wrote: the varint of field 2, after the fixed64 of field 1; 0 where there is none.
std::int64_t step_of(std::string_view event) {
  if (event.size() < 11 || event[9] != (2 << 3 | kVarint)) return 0;
  std::uint64_t step = 0;
  for (std::size_t i = 10; i < event.size() && i < 20; ++i) {
    step |= std::uint64_t(event[i] & 0x7f) << (7 * (i - 10));
    if (!(event[i] & 0x80)) break;
  }
  return std::int64_t(step);
}

std::string event_head(double wall_time, std::int64_t step) {
  std::string out;
  put_key(out, 1, kFixed64);
  put(out, wall_time);
  if (step) {
    put_key(out, 2, kVarint);
    put_varint(out, std::uint64_t(step));
  }
  return out;
}

std::string record_of(const std::string& message) {
  std::string out;
  put(out, std::uint64_t(message.size()));
  put(out, masked_crc(out));
  out += message;
  put(out, masked_crc(message));
  return out;
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

void append(const std::filesystem::path& path, const std::string& bytes) {
  const auto file = files().open_write(path, OpenMode::append);
  file->write(bytes.data(), bytes.size());
  file->close();
}

constexpr const char *kPrefix = "events.out.tfevents.", *kSuffix = ".tenon";

}  // namespace

std::uint32_t crc32c_of(std::span<const std::byte> bytes) noexcept {
  static constexpr auto table = crc32c_table();
  std::uint32_t crc = ~0u;
  for (const std::byte b : bytes) crc = table[(crc ^ std::uint32_t(b)) & 0xff] ^ (crc >> 8);
  return ~crc;
}

EventFile::EventFile(const std::filesystem::path& folder) {
  files().make_directories(folder);
  for (const auto& file : files().list(folder))
    if (const std::string name = file.filename().string(); name.starts_with(kPrefix) && name.ends_with(kSuffix)) path_ = file;
  if (!path_.empty()) return;
  const double time = now();
  path_ = folder / (kPrefix + std::to_string(std::int64_t(time)) + kSuffix);
  std::string version = event_head(time, 0);
  put_bytes(version, 3, "brain.Event:2");
  append(path_, record_of(version));
}

void EventFile::scalars(std::int64_t step, const std::vector<std::pair<std::string, double>>& values) const {
  std::string summary;
  for (const auto& [tag, number] : values) {
    std::string value;
    put_bytes(value, 1, tag);
    put_key(value, 2, kFixed32);
    put(value, float(number));
    put_bytes(summary, 1, value);
  }
  std::string event = event_head(now(), step);
  put_bytes(event, 5, summary);
  append(path_, record_of(event));
}

void EventFile::trim(std::int64_t step) const {
  const std::string all = read_text(path_);
  const std::string_view bytes = all;
  std::string kept;
  for (std::size_t at = 0; bytes.size() - at >= 16;) {
    const auto size = get<std::uint64_t>(bytes, at);
    if (get<std::uint32_t>(bytes, at + 8) != masked_crc(bytes.substr(at, 8)) || size > bytes.size() - at - 16) break;
    const std::string_view message = bytes.substr(at + 12, size);
    if (get<std::uint32_t>(bytes, at + 12 + size) != masked_crc(message)) break;
    if (step_of(message) <= step) kept += bytes.substr(at, size + 16);
    at += size + 16;
  }
  if (kept != all) write_atomic(path_, kept);
}

}  // namespace tenon

#include "genomics/io/text_input.hpp"

#include <fmt/format.h>

#include <cstring>

#include "tenon/error.hpp"

namespace tenon::genomics {

TextInput::TextInput(const std::filesystem::path& path) : input_(path) {}

bool TextInput::next(std::string_view& line) {
  std::size_t searched = position_;
  while (true) {
    const void* lf = std::memchr(buffer_.data() + searched, '\n', buffer_.size() - searched);
    if (lf) {
      std::size_t at = std::size_t(static_cast<const char*>(lf) - buffer_.data());
      std::size_t length = at - position_;
      end_ = 1;
      if (length > 0 && buffer_[at - 1] == '\r') --length, end_ = 2;
      line = std::string_view(buffer_).substr(position_, length);
      start_ = base_ + position_;
      position_ = at + 1;
      ++number_;
      if (number_ == 1) refuse_mark(line);
      return true;
    }
    if (position_ > 0) {  // what is left of the last piece moves to the front
      buffer_.erase(0, position_);
      base_ += position_;
      position_ = 0;
      if (!keep_blocks_ && blocks_.size() > 64) blocks_.erase(blocks_.begin(), blocks_.end() - 32);
    }
    searched = buffer_.size();
    if (!input_.next(buffer_)) break;
    if (input_.packing() == Packing::bgzf) blocks_.emplace_back(base_ + searched, input_.piece_offset());
  }
  if (buffer_.empty()) return false;
  std::size_t length = buffer_.size();
  end_ = 0;
  if (buffer_.back() == '\r') --length;
  line = std::string_view(buffer_).substr(0, length);
  start_ = base_;
  position_ = buffer_.size();
  ++number_;
  if (number_ == 1) refuse_mark(line);
  return true;
}

/// No format here begins with one: it would become part of the first name, or of the first letter.
void TextInput::refuse_mark(std::string_view line) const {
  if (line.starts_with("\xef\xbb\xbf"))
    throw Error(ErrorKind::data, "genomics.byte_order_mark", "the file begins with a byte-order mark (EF BB BF)", "remove it: tail -c +4 FILE > FILE.new", where());
}

std::string TextInput::where(std::uint64_t line) const { return path().string() + ":" + std::to_string(line); }

std::string TextInput::place(std::size_t column) const {
  const std::uint64_t offset = start_ + column;
  std::string text = fmt::format("byte {}", offset);
  if (packing() == Packing::plain) return text;
  text += " of the unpacked text";
  for (auto block = blocks_.rbegin(); block != blocks_.rend(); ++block)
    if (block->first <= offset) return text + fmt::format(", virtual offset {}", block->second << 16 | (offset - block->first));
  return text;
}

std::vector<std::string_view> columns_of(std::string_view line) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0;;) {
    auto tab = line.find('\t', at);
    out.push_back(line.substr(at, tab == std::string_view::npos ? tab : tab - at));
    if (tab == std::string_view::npos) return out;
    at = tab + 1;
  }
}

}  // namespace tenon::genomics

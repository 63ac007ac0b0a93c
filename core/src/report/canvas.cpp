#include "report/canvas.hpp"

#include <algorithm>

#include "tenon/io/utf8.hpp"

namespace tenon::report {
namespace {

constexpr int kColumns = 5, kRows = 7;

// 5 x 7 dots a letter, the top row in the highest bits and the left dot of a row in its highest bit; ASCII from the space on.
constexpr std::uint64_t kLetters[] = {
    0x000000000, 0x108420004, 0x7e318c63f, 0x295f57d4a, 0x7e318c63f, 0x632222263, 0x32544564d, 0x308800000,  //   ! " # $ % & '
    0x088842082, 0x208210888, 0x009575480, 0x0084f9080, 0x000003088, 0x0000f8000, 0x00000018c, 0x002222200,  // ( ) * + , - . /
    0x3a33ae62e, 0x11842108e, 0x3a211111f, 0x7c441062e, 0x08ca97c42, 0x7e1e0862e, 0x1910f462e, 0x7c2222108,  // 0 1 2 3 4 5 6 7
    0x3a317462e, 0x3a317844c, 0x018c03180, 0x018c03088, 0x088882082, 0x001f07c00, 0x208208888, 0x3a2111004,  // 8 9 : ; < = > ?
    0x7e318c63f, 0x3a318fe31, 0x7a31f463e, 0x3a308422e, 0x72518c65c, 0x7e10f421f, 0x7e10f4210, 0x3a30bc62f,  // @ A B C D E F G
    0x4631fc631, 0x38842108e, 0x1c4210a4c, 0x4654c5251, 0x42108421f, 0x4775ac631, 0x4639ace31, 0x3a318c62e,  // H I J K L M N O
    0x7a31f4210, 0x3a318d64d, 0x7a31f5251, 0x3e107043e, 0x7c8421084, 0x46318c62e, 0x46318c544, 0x4631ad6aa,  // P Q R S T U V W
    0x462a22a31, 0x463151084, 0x7c222221f, 0x39084210e, 0x7e318c63f, 0x38421084e, 0x115100000, 0x00000001f,  // X Y Z [ back slash ] ^ _
    0x7e318c63f, 0x000e0be2f, 0x4216cc63e, 0x000e8422e, 0x042d9c62f, 0x000e8fe0e, 0x1928e2108, 0x01f18bc2e,  // ` a b c d e f g
    0x4216cc631, 0x100c2108e, 0x080610a4c, 0x4212a6292, 0x30842108e, 0x001aad631, 0x0016cc631, 0x000e8c62e,  // h i j k l m n o
    0x001e8fa10, 0x000d9bc21, 0x0016cc210, 0x000e8383e, 0x211c42126, 0x00118c66d, 0x00118c544, 0x00118d6aa,  // p q r s t u v w
    0x001151151, 0x00118bc2e, 0x001f1111f, 0x7e318c63f, 0x108421084, 0x7e318c63f, 0x0008a8800,  // x y z { | } ~
};
constexpr std::uint64_t kDegree = 0x325260000, kUnknown = 0x7e318c63f;

/// The letter at the start of `text`, and how many bytes it takes.
std::pair<std::uint64_t, std::size_t> letter(std::string_view text) {
  const std::size_t length = std::max<std::size_t>(utf8_length(text), 1);
  const auto c = static_cast<unsigned char>(text[0]);
  if (length == 1 && c >= 32 && c < 127) return {kLetters[c - 32], 1};
  if (text.substr(0, length) == "\u00b0") return {kDegree, length};
  if (text.substr(0, length) == "\u2212") return {kLetters['-' - 32], length};
  return {kUnknown, length};
}

}  // namespace

Canvas::Canvas(int width, int height, const Rgb& ground) : width_(width), height_(height), pixels_(std::size_t(width) * std::size_t(height) * 3) {
  fill(0, 0, width, height, ground);
}

void Canvas::set(int x, int y, const Rgb& colour) {
  if (x < 0 || y < 0 || x >= width_ || y >= height_) return;
  std::copy(colour.begin(), colour.end(), pixels_.begin() + (std::ptrdiff_t(y) * width_ + x) * 3);
}

void Canvas::fill(int x, int y, int width, int height, const Rgb& colour) {
  for (int j = y; j < y + height; ++j)
    for (int i = x; i < x + width; ++i) set(i, j, colour);
}

void Canvas::outline(int x, int y, int width, int height, const Rgb& colour) {
  fill(x, y, width, 1, colour);
  fill(x, y + height - 1, width, 1, colour);
  fill(x, y, 1, height, colour);
  fill(x + width - 1, y, 1, height, colour);
}

void Canvas::text(int x, int y, std::string_view text, const Rgb& colour, int scale) {
  while (!text.empty()) {
    const auto [dots, length] = letter(text);
    text.remove_prefix(length);
    for (int r = 0; r < kRows; ++r)
      for (int c = 0; c < kColumns; ++c)
        if (dots >> (kColumns * (kRows - 1 - r) + kColumns - 1 - c) & 1) fill(x + c * scale, y + r * scale, scale, scale, colour);
    x += (kColumns + 1) * scale;
  }
}

int Canvas::text_width(std::string_view text, int scale) {
  int letters = 0;
  while (!text.empty()) {
    text.remove_prefix(letter(text).second);
    ++letters;
  }
  return letters == 0 ? 0 : (letters * (kColumns + 1) - 1) * scale;
}

}  // namespace tenon::report

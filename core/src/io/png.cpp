#include "tenon/io/png.hpp"

#include <png.h>

#include <cstring>
#include <string>

#include "tenon/error.hpp"

namespace tenon {

std::vector<std::uint8_t> encode_png(std::span<const std::uint8_t> pixels, int width, int height, int channels) {
  if (channels != 1 && channels != 3 && channels != 4)
    throw_usage("encode_png", "channels is " + std::to_string(channels) + ", not 1, 3 or 4");
  if (width < 1 || height < 1 || width > 32768 || height > 32768 ||
      pixels.size() != std::size_t(width) * std::size_t(height) * std::size_t(channels))
    throw_usage("encode_png", std::to_string(pixels.size()) + " bytes for " + std::to_string(width) + " x " + std::to_string(height) +
                                  " x " + std::to_string(channels));
  png_image image;
  std::memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = png_uint_32(width);
  image.height = png_uint_32(height);
  image.format = channels == 1 ? PNG_FORMAT_GRAY : channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
  std::vector<std::uint8_t> out(PNG_IMAGE_PNG_SIZE_MAX(image));
  png_alloc_size_t size = out.size();
  if (!png_image_write_to_memory(&image, out.data(), &size, 0, pixels.data(), 0, nullptr))
    throw Error(ErrorKind::internal, "png.encode", std::string("encode_png: ") + image.message,
                "report this picture's size with the message");
  out.resize(size);
  return out;
}

}  // namespace tenon

#include "medical/io/image_file.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "medical/io/bytes.hpp"
#include "medical/io/dicom_file.hpp"
#include "medical/io/gzip.hpp"
#include "medical/io/metaimage.hpp"
#include "medical/io/nifti.hpp"
#include "medical/io/nifti_header.hpp"
#include "medical/io/nrrd.hpp"
#include "medical/io/text_header.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/kernel.hpp"

namespace tenon::medical {
namespace {

constexpr std::size_t kSniffBytes = 2048;  // of a gzip stream too, enough for the header in it
const char kKnown[] = "known are NIfTI (.nii, .nii.gz), NRRD (.nrrd), MetaImage (.mha, .mhd) and folders of DICOM files";

bool holds_nifti(std::span<const std::byte> gzip_head) {
  try {
    return is_nifti(gunzip_head(gzip_head, kNifti1Bytes));
  } catch (const Error&) {
    return false;  // damaged: for the reader of its name to tell
  }
}

bool is_folder(const std::filesystem::path& path) {
  auto info = files().stat(path);
  return info && info->is_directory;
}

template <class T> void labels_to_u8(const T* from, std::uint8_t* to, std::int64_t n) {
  parallel_blocks(n, 1 << 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      T v = from[i];
      if (!(v >= T(0) && v <= T(sizeof(T) == 1 ? std::numeric_limits<T>::max() : T(255)) && T(std::uint8_t(v)) == v)) {
        throw Error(ErrorKind::data, "medical.label_value", fmt::format("voxel {} holds {}, which is no whole label of 0..255", i, v),
                    "labels must be whole numbers: resample label maps with order 0, and check that this is a label map");
      }
      to[i] = std::uint8_t(v);
    }
  });
}

Tensor as_labels(const Tensor& values) {
  if (values.dtype() == DType::u8) return values;
  Tensor out = Tensor::empty(values.shape(), DType::u8);
  auto* to = out.data<std::uint8_t>();
  std::int64_t n = values.numel();
  switch (values.dtype()) {
    case DType::i8: labels_to_u8(values.data<std::int8_t>(), to, n); break;
    case DType::i16: labels_to_u8(values.data<std::int16_t>(), to, n); break;
    case DType::i32: labels_to_u8(values.data<std::int32_t>(), to, n); break;
    case DType::i64: labels_to_u8(values.data<std::int64_t>(), to, n); break;
    case DType::f64: labels_to_u8(values.data<double>(), to, n); break;
    default: labels_to_u8(values.data<float>(), to, n); break;
  }
  return out;
}

void require_3d(const Volume& v, const std::filesystem::path& path) {
  if (v.values.rank() == 3) return;
  throw Error(ErrorKind::data, "medical.not_3d", fmt::format("{} volumes in one file, one is needed", v.values.size(0)), "split the series first", path.string());
}

}  // namespace

std::string_view name_of(ImageFormat format) {
  static constexpr std::string_view kNames[] = {"nifti", "nrrd", "metaimage", "dicom"};
  return kNames[std::size_t(format)];
}

std::string image_extension(const std::filesystem::path& path) {
  std::string name = lower(path.filename().string());
  return name.size() > 7 && name.ends_with(".nii.gz") ? ".nii.gz" : lower(path.extension().string());
}

std::optional<ImageFormat> sniff(const std::filesystem::path& path, std::span<const std::byte> head) {
  if (head.empty()) return is_folder(path) ? std::optional(ImageFormat::dicom) : std::nullopt;
  std::string extension = image_extension(path);
  if (is_gzip(head)) {
    const bool named = extension == ".nii.gz" || extension == ".gz" || extension == ".nii";
    return holds_nifti(head) || named ? std::optional(ImageFormat::nifti) : std::nullopt;
  }
  if (is_nifti(head)) return ImageFormat::nifti;
  if (is_nrrd(head)) return ImageFormat::nrrd;
  if (is_dicom(head)) return ImageFormat::dicom;
  if (is_metaimage(head)) return ImageFormat::metaimage;
  // A damaged file still belongs to the reader of its name, which says what is wrong with it.
  if (extension == ".nii" || extension == ".nii.gz") return ImageFormat::nifti;
  if (extension == ".nrrd") return ImageFormat::nrrd;
  if (extension == ".mha" || extension == ".mhd") return ImageFormat::metaimage;
  if (extension == ".dcm") return ImageFormat::dicom;
  return {};
}

ImageFormat format_of_file(const std::filesystem::path& path) {
  std::byte head[kSniffBytes];
  std::size_t size = is_folder(path) ? 0 : files().open_read(path)->read(head, sizeof head);
  if (size == 0 && !is_folder(path)) throw Error(ErrorKind::data, "medical.empty_file", "the file is empty", "copy or download it again", path.string());
  auto format = sniff(path, std::span(head, size));
  if (!format) throw Error(ErrorKind::data, "medical.unknown_format", "the file is of no known image format", kKnown, path.string());
  return *format;
}

ImageFormat format_of_name(const std::filesystem::path& path) {
  std::string extension = image_extension(path);
  if (extension == ".nii" || extension == ".nii.gz") return ImageFormat::nifti;
  if (extension == ".nrrd") return ImageFormat::nrrd;
  if (extension == ".mha" || extension == ".mhd") return ImageFormat::metaimage;
  if (extension.empty()) return ImageFormat::dicom;
  throw Error(ErrorKind::usage, "medical.unknown_extension", "'" + extension + "' names no image format", kKnown, path.string());
}

Volume read_image(const std::filesystem::path& path, const DicomOptions& options) {
  switch (format_of_file(path)) {
    case ImageFormat::nifti: return read_nifti(path);
    case ImageFormat::nrrd: return read_nrrd(path);
    case ImageFormat::metaimage: return read_metaimage(path);
    case ImageFormat::dicom: break;
  }
  return read_dicom(path, options);
}

Volume read_image(const std::filesystem::path& path) { return read_image(path, DicomOptions{}); }

Volume read_volume(const std::filesystem::path& path) {
  Volume v = read_image(path);
  require_3d(v, path);
  v.values = v.values.to(DType::f32);
  return v;
}

Volume read_labels(const std::filesystem::path& path) {
  Volume v = read_image(path);
  require_3d(v, path);
  try {
    v.values = as_labels(v.values);
  } catch (const Error& e) {
    throw e.at(path.string());
  }
  v.attributes.erase("element");
  return v;
}

Geometry read_geometry(const std::filesystem::path& path) {
  if (format_of_file(path) == ImageFormat::nifti) return read_nifti_header(path).geometry;
  return read_image(path).geometry;
}

void write_image(const std::filesystem::path& path, const Volume& volume) {
  switch (format_of_name(path)) {
    case ImageFormat::nifti: return write_nifti(path, volume);
    case ImageFormat::nrrd: return write_nrrd(path, volume);
    case ImageFormat::metaimage: return write_metaimage(path, volume);
    case ImageFormat::dicom: return write_dicom(path, volume);
  }
}

void write_labels(const std::filesystem::path& path, const Tensor& labels, const Volume& like) {
  const auto& n = like.geometry.size;
  if (labels.dtype() != DType::u8 || labels.shape() != Shape{n[2], n[1], n[0]}) {
    throw_usage("write_labels", fmt::format("takes u8 [{}, {}, {}] for this grid, got {}", n[2], n[1], n[0], labels.str()));
  }
  Volume out{labels, like.geometry, like.attributes};
  out.attributes["nifti.extensions"] = to_hex(label_map_extension());
  out.attributes.erase("element");
  write_image(path, out);
}

}  // namespace tenon::medical

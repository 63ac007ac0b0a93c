#include "medical/io/itk_image.hpp"

#include <itkMetaImageIO.h>
#include <itkNrrdImageIO.h>

#include <utility>

#include "medical/io/element.hpp"
#include "tenon/error.hpp"

namespace tenon::medical {
namespace {

using Component = itk::CommonEnums::IOComponent;

constexpr std::pair<Component, Element> kComponents[] = {
    {Component::UCHAR, Element::u8}, {Component::CHAR, Element::i8},    {Component::USHORT, Element::u16},    {Component::SHORT, Element::i16},
    {Component::UINT, Element::u32}, {Component::INT, Element::i32},    {Component::ULONG, Element::u64},     {Component::LONG, Element::i64},
    {Component::ULONGLONG, Element::u64}, {Component::LONGLONG, Element::i64}, {Component::FLOAT, Element::f32}, {Component::DOUBLE, Element::f64}};

itk::ImageIOBase::Pointer make_io(ItkFormat format) {
  if (format == ItkFormat::nrrd) return itk::NrrdImageIO::New().GetPointer();
  return itk::MetaImageIO::New().GetPointer();
}

/// ITK's exceptions become data errors; everything else passes.
template <class F> auto guarded(const std::filesystem::path& path, F&& f) {
  try {
    return f();
  } catch (const itk::ExceptionObject& e) {
    throw Error(ErrorKind::data, "medical.itk", std::string("reading failed: ") + e.GetDescription(), "check the file with `tenon medical validate`",
                path.string());
  }
}

}  // namespace

Volume itk_read(const std::filesystem::path& path, ItkFormat format) {
  return guarded(path, [&] {
    auto io = make_io(format);
    io->SetFileName(path.string());
    io->ReadImageInformation();
    unsigned rank = io->GetNumberOfDimensions();
    if (io->GetNumberOfComponents() != 1 || rank < 2 || rank > 3) {
      throw Error(ErrorKind::data, "medical.not_3d", "an image of " + std::to_string(rank) + " dimensions with " +
                  std::to_string(io->GetNumberOfComponents()) + " components a voxel", "give a scalar 3D image", path.string());
    }
    const std::pair<Component, Element>* type = nullptr;
    for (const auto& c : kComponents) {
      if (c.first == io->GetComponentType()) type = &c;
    }
    if (!type) throw Error(ErrorKind::data, "medical.element", "an element type that is not read", "convert it to an integer or float type", path.string());
    Volume v;
    for (unsigned a = 0; a < rank; ++a) {
      v.geometry.size[a] = std::int64_t(io->GetDimensions(a));
      auto direction = io->GetDirection(a);  // column a
      double spacing = io->GetSpacing(a);
      for (unsigned r = 0; r < rank; ++r) v.geometry.to_ras[r][a] = (r < 2 ? -1 : 1) * direction[r] * spacing;
      v.geometry.to_ras[a][3] = (a < 2 ? -1 : 1) * io->GetOrigin(a);
    }
    itk::ImageIORegion region(rank);
    for (unsigned a = 0; a < rank; ++a) region.SetSize(a, io->GetDimensions(a));
    io->SetIORegion(region);
    const auto& n = v.geometry.size;
    Tensor bytes = Tensor::empty({std::int64_t(io->GetImageSizeInBytes())}, DType::u8);
    io->Read(bytes.raw());
    v.values = decode(static_cast<const std::byte*>(bytes.raw()), type->second, false, {n[2], n[1], n[0]}, 1, 0, bytes);
    v.attributes["element"] = std::string(name_of(type->second));
    return v;
  });
}

}  // namespace tenon::medical

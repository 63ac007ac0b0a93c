#include <fmt/format.h>

#include "medical/image/volume.hpp"
#include "tenon/error.hpp"

namespace tenon::medical {

LabelledArray to_labelled(const Volume& volume) {
  LabelledArray out;
  out.values = volume.values;
  out.attributes = volume.attributes;
  if (volume.values.rank() == 4) out.axes.push_back({"t", "", {}, {}});
  for (const char* name : {"z", "y", "x"}) out.axes.push_back({name, "mm", {}, {}});
  Affine affine;
  affine.world = "RAS";
  for (std::size_t r = 0; r < 3; ++r) {
    for (std::size_t a = 0; a < 3; ++a) affine.m[r][a] = volume.geometry.to_ras[r][2 - a];
    affine.m[r][3] = volume.geometry.to_ras[r][3];
  }
  out.affine = affine;
  return out;
}

Volume from_labelled(const LabelledArray& array) {
  std::string names;
  for (const Axis& a : array.axes) names += a.name;
  if ((names != "zyx" && names != "tzyx") || array.values.rank() != int(names.size()) || !array.affine) {
    throw Error(ErrorKind::usage, "medical.labelled", fmt::format("an array with axes '{}'{} is no volume", names, array.affine ? "" : " and no affine"),
                "axes must be z, y, x or t, z, y, x with one affine");
  }
  if (array.affine->world != "RAS" && array.affine->world != "LPS") {
    throw Error(ErrorKind::usage, "medical.labelled", "world axes '" + array.affine->world + "' are not known", "use RAS or LPS");
  }
  Volume out{array.values, {}, array.attributes};
  int lead = array.values.rank() - 3;
  for (std::size_t a = 0; a < 3; ++a) out.geometry.size[a] = array.values.size(lead + 2 - int(a));
  for (std::size_t r = 0; r < 3; ++r) {
    double sign = array.affine->world == "LPS" && r < 2 ? -1 : 1;
    for (std::size_t a = 0; a < 3; ++a) out.geometry.to_ras[r][a] = sign * array.affine->m[r][2 - a];
    out.geometry.to_ras[r][3] = sign * array.affine->m[r][3];
  }
  return out;
}

}  // namespace tenon::medical

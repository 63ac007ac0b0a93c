/// The plugin's formats as the registry wants them.
#pragma once

#include "tenon/plugin.hpp"

namespace tenon::medical {

FormatEntry nifti_format();
FormatEntry nrrd_format();
FormatEntry metaimage_format();
FormatEntry dicom_format();

}  // namespace tenon::medical

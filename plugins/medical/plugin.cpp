/// The medical plugin's table of contents.
#include "tenon/plugin.hpp"

#include "medical/io/formats.hpp"
#include "medical/models/unet3d.hpp"
#include "medical/tasks/segmentation.hpp"
#include "medical/tools/tools.hpp"

TENON_PLUGIN(tenon::Registrar& r) {
  using namespace tenon::medical;
  // Formats: io/formats.cpp.
  r.format(nifti_format());
  r.format(nrrd_format());
  r.format(metaimage_format());
  r.format(dicom_format());
  // Models: models/. Tasks: tasks/.
  r.model(unet3d_model());
  r.task(segmentation_task());
  // Tools: tools/.
  r.tool(info_tool());
  r.tool(convert_tool());
  r.tool(orient_tool());
  r.tool(resample_tool());
  r.tool(validate_tool());
}

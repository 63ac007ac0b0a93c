# tenon_add_plugin(NAME SOURCES ... [VERSION v] [SUMMARY text] [LICENCE id] [PROVIDES "task segmentation" ...] [LIBRARIES ...])
# Builds NAME.tenon.so with one exported symbol and an ABI record in its own section.
function(tenon_add_plugin name)
  cmake_parse_arguments(P "" "VERSION;SUMMARY;LICENCE" "SOURCES;PROVIDES;LIBRARIES" ${ARGN})
  add_library(${name}_plugin MODULE ${P_SOURCES})
  target_link_libraries(${name}_plugin PRIVATE Tenon::core ${P_LIBRARIES})
  set_target_properties(${name}_plugin PROPERTIES PREFIX "" OUTPUT_NAME ${name} SUFFIX ".tenon.so"
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  if(TENON_PLUGIN_OUTPUT_DIRECTORY)
    set_target_properties(${name}_plugin PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${TENON_PLUGIN_OUTPUT_DIRECTORY}")
  endif()
endfunction()

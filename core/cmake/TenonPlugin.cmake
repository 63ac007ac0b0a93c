# tenon_add_plugin(NAME
#   SOURCES file...                        plugin.cpp holds TENON_PLUGIN
#   PROVIDES "task segmentation" ...       "<format|model|task|tool> <name>", exactly what plugin.cpp registers
#   [NEEDS plugin...]                      plugins whose entries it uses: they are loaded first
#   [ERRORS errors.md]                     what `tenon explain` says of the plugin's error codes: Markdown, a section "## NAME.code" each,
#                                          its first line what happened; it lies in a section of the file and is read without loading it
#   [VERSION v] [SUMMARY text] [LICENCE spdx-id] [LIBRARIES target...])
#
# Builds NAME.tenon.so (target NAME_plugin): one exported symbol, and an ABI record in a section of its own that the host
# reads before it loads the file. The file goes to TENON_PLUGIN_OUTPUT_DIRECTORY if that is set, and is installed to
# <libdir>/tenon/plugins. Works in Tenon's own tree and after find_package(Tenon).
# The host loads a plugin through a descriptor, so $ORIGIN in its run path does not lead to its folder: libraries that it
# brings along need an absolute run path or the loader's own folders.
include_guard(GLOBAL)

set(TENON_PLUGIN_CMAKE_DIR "${CMAKE_CURRENT_LIST_DIR}" CACHE INTERNAL "Where the files beside TenonPlugin.cmake are")

# Sets OUT to TEXT as the inside of a C string literal; an error if it is longer than its field of the record.
function(_tenon_record_text out field limit text)
  string(LENGTH "${text}" length)
  if(length GREATER_EQUAL limit)
    message(FATAL_ERROR "tenon_add_plugin: ${field} has ${length} bytes, the ABI record holds fewer than ${limit}")
  endif()
  if(text MATCHES "\n" AND NOT field MATCHES "^(PROVIDES|NEEDS)$")
    message(FATAL_ERROR "tenon_add_plugin: ${field} is one line")
  endif()
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  string(REPLACE "\n" "\\n" text "${text}")
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

function(tenon_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 P "" "VERSION;SUMMARY;LICENCE;ERRORS" "SOURCES;PROVIDES;NEEDS;LIBRARIES")
  if(P_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "tenon_add_plugin(${name}): unknown arguments ${P_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT name MATCHES "^[a-z][a-z0-9_]*$")
    message(FATAL_ERROR "tenon_add_plugin(${name}): a plugin's name is lower-case letters, digits and underscores")
  endif()
  if(NOT P_SOURCES)
    message(FATAL_ERROR "tenon_add_plugin(${name}): SOURCES is empty")
  endif()
  foreach(id IN LISTS P_PROVIDES)
    if(NOT id MATCHES "^(format|model|task|tool) [a-z][a-z0-9_]*$")
      message(FATAL_ERROR "tenon_add_plugin(${name}): PROVIDES has '${id}', wanted is '<format|model|task|tool> <name>'")
    endif()
  endforeach()
  foreach(need IN LISTS P_NEEDS)
    if(NOT need MATCHES "^[a-z][a-z0-9_]*$" OR need STREQUAL name)
      message(FATAL_ERROR "tenon_add_plugin(${name}): NEEDS has '${need}', wanted are names of other plugins")
    endif()
  endforeach()
  if(NOT P_VERSION)
    set(P_VERSION "${PROJECT_VERSION}")
  endif()

  if(Tenon_VERSION)
    set(TENON_RECORD_CORE_VERSION "${Tenon_VERSION}")
  else()
    get_target_property(TENON_RECORD_CORE_VERSION Tenon::core VERSION)
  endif()
  set(TENON_RECORD_NAME "${name}")
  list(JOIN P_PROVIDES "\n" provides)
  list(JOIN P_NEEDS "\n" needs)
  _tenon_record_text(TENON_RECORD_NAME NAME 64 "${name}")
  _tenon_record_text(TENON_RECORD_VERSION VERSION 32 "${P_VERSION}")
  _tenon_record_text(TENON_RECORD_SUMMARY SUMMARY 256 "${P_SUMMARY}")
  _tenon_record_text(TENON_RECORD_LICENCE LICENCE 64 "${P_LICENCE}")
  _tenon_record_text(TENON_RECORD_PROVIDES PROVIDES 4096 "${provides}")
  _tenon_record_text(TENON_RECORD_NEEDS NEEDS 512 "${needs}")
  set(TENON_RECORD_ERRORS)
  if(P_ERRORS)
    cmake_path(ABSOLUTE_PATH P_ERRORS BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" OUTPUT_VARIABLE errors)
    if(NOT EXISTS "${errors}")
      message(FATAL_ERROR "tenon_add_plugin(${name}): ERRORS names '${P_ERRORS}', which is not there")
    endif()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${errors}")
    file(READ "${errors}" text)
    set(TENON_RECORD_ERRORS "[[gnu::section(\".tenon_errors\"), gnu::used, gnu::retain]] constinit const char tenon_error_page[] = R\"tenon_errors(${text})tenon_errors\";\n")
  endif()
  set(record "${CMAKE_CURRENT_BINARY_DIR}/${name}_record.cpp")
  configure_file("${TENON_PLUGIN_CMAKE_DIR}/tenon_plugin_record.cpp.in" "${record}" @ONLY)

  set(target ${name}_plugin)
  set(map "${TENON_PLUGIN_CMAKE_DIR}/tenon_plugin.map")
  add_library(${target} MODULE ${P_SOURCES} "${record}")
  target_compile_features(${target} PRIVATE cxx_std_20)
  target_link_libraries(${target} PRIVATE Tenon::core ${P_LIBRARIES})
  # The core stands in its list of libraries even where nothing of it is called: a loader then finds the right one or says so.
  target_link_options(${target} PRIVATE "LINKER:--version-script=${map}" "LINKER:--no-as-needed")
  if(TARGET tenon_warnings)
    target_link_libraries(${target} PRIVATE tenon_warnings)
  endif()
  if(NOT TENON_SANITIZE)  # sanitizers leave symbols for the program to provide
    target_link_options(${target} PRIVATE "LINKER:-z,defs")
  endif()
  set_target_properties(${target} PROPERTIES PREFIX "" OUTPUT_NAME ${name} SUFFIX ".tenon.so" LINK_DEPENDS "${map}"
    POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  if(TENON_PLUGIN_OUTPUT_DIRECTORY)
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${TENON_PLUGIN_OUTPUT_DIRECTORY}")
  endif()
  if(NOT TENON_PLUGIN_NO_INSTALL)
    include(GNUInstallDirs)
    install(TARGETS ${target} LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}/tenon/plugins")
  endif()
endfunction()

# Installs the core, moves the prefix (it must not know where it was), builds the project outside/ against it, and runs
# its program: once with TENON_PLUGIN_PATH, once with the plugin installed into the prefix.
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    string(JOIN " " command ${ARGV})
    message(FATAL_ERROR "${command}\ngave ${status}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE "${WORK}")
run(${CMAKE_COMMAND} --install "${BUILD}" --prefix "${WORK}/first" --component core)
file(RENAME "${WORK}/first" "${WORK}/prefix")

set(flags)
if(SANITIZE)
  set(flags "-DCMAKE_CXX_FLAGS=-fsanitize=${SANITIZE}" -DTENON_SANITIZE=${SANITIZE})
endif()
run(${CMAKE_COMMAND} -G "${GENERATOR}" -S "${SOURCE}" -B "${WORK}/build" "-DCMAKE_PREFIX_PATH=${WORK}/prefix" "-DCMAKE_INSTALL_PREFIX=${WORK}/prefix"
  "-DCMAKE_INSTALL_LIBDIR=${LIBDIR}" -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_BUILD_TYPE=${BUILD_TYPE} ${flags})
run(${CMAKE_COMMAND} --build "${WORK}/build")

run(${CMAKE_COMMAND} -E env "XDG_DATA_HOME=${WORK}/none" "TENON_PLUGIN_PATH=${WORK}/build" "${WORK}/build/use_plugin")
if(NOT output MATCHES "0.5 1.0 example 0.4.0: halves, Apache-2.0")
  message(FATAL_ERROR "the program said:\n${output}")
endif()

run(${CMAKE_COMMAND} --install "${WORK}/build")
run(${CMAKE_COMMAND} -E env "XDG_DATA_HOME=${WORK}/none" "TENON_PLUGIN_PATH=" "${WORK}/build/use_plugin")
if(NOT output MATCHES "prefix/${LIBDIR}/tenon/plugins/example.tenon.so")
  message(FATAL_ERROR "the installed plugin was not found in the prefix:\n${output}")
endif()

# The one exported symbol.
find_program(NM nm)
if(NM)
  run(${NM} -D --defined-only "${WORK}/build/example.tenon.so")
  string(REGEX MATCHALL "[^\n]+" symbols "${output}")
  list(FILTER symbols EXCLUDE REGEX "(asan|tsan|ubsan|odr)")
  if(NOT symbols MATCHES "^[^;]* T tenon_plugin_register$")
    message(FATAL_ERROR "the plugin exports more than its entry:\n${output}")
  endif()
endif()

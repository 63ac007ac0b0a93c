# One build tree, configured with a compiler that is not there and then with nvcc; and what TENON_CUDA refuses.
file(REMOVE_RECURSE "${WORK}")
function(configure compiler wanted)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env "CUDACXX=${compiler}" ${CMAKE_COMMAND} -S "${SOURCE}" -B "${WORK}" -G "${GENERATOR}" -DCMAKE_CXX_COMPILER=${COMPILER} -DTENON_BUILD_MEDICAL=OFF
    -DTENON_BUILD_CLIMATE=OFF -DTENON_BUILD_GENOMICS=OFF -DTENON_BUILD_FINANCE=OFF ${ARGN} OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if(NOT said MATCHES "${wanted}")
    message(FATAL_ERROR "CUDACXX=${compiler} ${ARGN}: not '${wanted}' but\n${said}")
  endif()
endfunction()
configure("${WORK}/none" "CUDA backend: OFF")
configure("${NVCC}" "CUDA backend: ON")
configure("${NVCC}" "CUDA backend: OFF" -DTENON_CUDA=OFF)
configure("${NVCC}" "TENON_CUDA=bogus is none of auto, on, off" -DTENON_CUDA=bogus)
configure("${NVCC}" "TENON_CUDA_ARCHITECTURES=80 is neither one nor every" -DTENON_CUDA=auto -DTENON_CUDA_ARCHITECTURES=80)

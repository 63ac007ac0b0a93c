# cmake -DFILE=... -DLIMIT=bytes -P size.cmake
file(REAL_PATH "${FILE}" file)
file(SIZE "${file}" size)
message(STATUS "${file}: ${size} bytes, limit ${LIMIT}")
if(size GREATER_EQUAL LIMIT)
  message(FATAL_ERROR "too large")
endif()

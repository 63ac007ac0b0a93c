# The example of a field that Tenon does not have, docs/examples/driving, with an installed Tenon and nothing else: built, checked, trained, evaluated and used
# with the installed command.
include("${CMAKE_CURRENT_LIST_DIR}/installed.cmake")

# A copy, without what somebody may have built in the folder itself.
file(COPY "${SOURCE}" DESTINATION "${WORK}" PATTERN build EXCLUDE PATTERN runs EXCLUDE)
set(example "${WORK}/driving")
if(FORMATTER)
  file(GLOB sources "${example}/src/*.cpp" "${example}/src/*.hpp" "${example}/test/*.cpp")
  run("${FORMATTER}" --dry-run -Werror ${sources})
endif()

# Warnings are errors here; an author's compiler may have others. The plugin's own test runs in this step.
run("${tenon}" plugin build "${example}" -D CMAKE_COMPILE_WARNING_AS_ERROR=ON ${define})
need("driving/build/driving.tenon.so")
file(READ "${example}/build/CMakeCache.txt" cache)
if(NOT cache MATCHES "Tenon_DIR:[A-Z]+=${WORK}/prefix/")
  message(FATAL_ERROR "it was not built against the installed package")
endif()
set(PLUGINS "${example}/build")
run("${tenon}" plugin info driving)
need("format velodyne, model pillars, task segmentation, tool simulate, tool voxelise")

# Clouds are made by the plugin. The check cuts its example at every per cent: a cut between two points is a shorter cloud, which is right.
run("${tenon}" driving simulate -o street.bin --seed 7)
need("^[0-9]+ points: ground [0-9]+, vehicle [0-9]+, pedestrian [0-9]+, pole [0-9]+, structure [0-9]+")
run("${tenon}" driving simulate -o other.bin --seed 8)
run("${tenon}" plugin check "${example}/build/driving.tenon.so" --example street.bin --recipe "${example}/recipe-quick.toml")
need("[0-9]+ passed, 0 failed, ")
foreach(check "format.round_trip velodyne" "format.cut velodyne" "model.gradient_check pillars" "model.learns pillars" "tool.junk_file voxelise" "recipe.repeats recipe-quick")
  need("${check} +ok ")
endforeach()

run("${tenon}" train "${example}/recipe-quick.toml" --run "${WORK}/run" train.steps=20)
run("${tenon}" evaluate "${WORK}/run")
need("IoU vehicle")
need("mean IoU")
need("height above the ground")
run("${tenon}" predict "${WORK}/run" street.bin other.bin -o predicted)
run("${tenon}" driving voxelise street.bin other.bin -o pillars)
need("street.bin: [0-9]+ points, [0-9]+ kept, [0-9]+ outside the range, [0-9]+ beyond 6 a pillar; [0-9]+ of 6400 pillars occupied")
run("${tenon}" driving voxelise street.bin -o pillars --overwrite --json --y-range -10,10)
need("^\\[{\"file\": \"street.bin\", \"points\": [0-9]+, .*\"cells\": 3200}\\]")
foreach(file predicted/street_classes.npz predicted/street_classes.png predicted/other_classes.npz pillars/street_pillars.npz pillars/other_pillars.npz run/report.html)
  if(NOT EXISTS "${WORK}/${file}")
    message(FATAL_ERROR "${file} was not written")
  endif()
endforeach()

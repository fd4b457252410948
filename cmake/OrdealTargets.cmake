# The only ways to add a target. Warnings are errors; every target sees the repository root as its one include path.

function(ordeal_target_options target)
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}>)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Werror -Wno-unused-parameter
    -Wno-missing-field-initializers)
  if(ORDEAL_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=address,undefined
      -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g1 -O1)  # -O3 costs twice the build time
    if(CMAKE_CURRENT_SOURCE_DIR MATCHES "/(bpf|harness/(cli|campaign|corpus)|lockdep/(exam|predict|preload|report|trace))$")
      target_compile_options(${target} PRIVATE -O0)  # runs little: what the optimiser costs is never earned back
    endif()
    target_link_options(${target} PUBLIC -fsanitize=address,undefined)
  endif()
endfunction()

# With ORDEAL_FAST_BUILD, for builds from nothing (ci/): the sources of a library are compiled a batch at a time, which needs a
# third of the processor time, and all tests share one precompiled header. Sources that use one name for different things in
# anonymous namespaces come into different batches (cmake/batches.py); what it cannot see may say SKIP_UNITY_BUILD_INCLUSION.
# The default build compiles each file by itself: there a forgotten #include shows, and there a change costs one file.
if(ORDEAL_FAST_BUILD)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
endif()

function(ordeal_batches target)
  if(NOT ORDEAL_FAST_BUILD)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "\\.cc$")
  list(FILTER sources EXCLUDE REGEX "\\.pb\\.cc$")  # not there yet
  get_target_property(folder ${target} SOURCE_DIR)
  list(TRANSFORM sources PREPEND ${folder}/ REGEX "^[^/]")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${sources})
  execute_process(COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/cmake/batches.py 16 ${sources}
    OUTPUT_VARIABLE batches COMMAND_ERROR_IS_FATAL ANY)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  foreach(source batch IN ZIP_LISTS sources batches)
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${target}_${batch})
  endforeach()
endfunction()

# Tests differ in definitions that these headers do not look at; a test with flags of its own does without.
function(ordeal_test_headers target)
  if(NOT ORDEAL_FAST_BUILD)
    return()
  endif()
  if(NOT TARGET ordeal_test_headers)
    file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/test_headers.cc CONTENT "// Compiled only for its precompiled header.\n")
    add_library(ordeal_test_headers STATIC EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/test_headers.cc)
    ordeal_test_options(ordeal_test_headers)
    target_link_libraries(ordeal_test_headers PRIVATE GTest::gmock absl::inlined_vector absl::strings)
    target_precompile_headers(ordeal_test_headers PRIVATE <algorithm> <array> <cstdint> <functional> <map> <memory> <optional>
      <set> <sstream> <string> <utility> <vector> <gmock/gmock.h> <gtest/gtest.h> [["absl/container/inlined_vector.h"]]
      [["absl/strings/str_cat.h"]] [["absl/strings/str_join.h"]] [["absl/types/span.h"]])
  endif()
  target_precompile_headers(${target} REUSE_FROM ordeal_test_headers)
  set_target_properties(${target} PROPERTIES PCH_WARN_INVALID OFF)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -fpch-preprocess)  # lets ccache see it (with CCACHE_SLOPPINESS, ci/build.sh)
  endif()
  # GCC 12 no longer knows what is a system header when it comes precompiled, and warns of its own std::string.
  target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread)
endfunction()

# ordeal_embed(FILE init.sh HEADER bpf/vm/guest_init.h NAMESPACE bpf VARIABLE kGuestInit OUTPUT guest_init.cc)
# Makes a source file that defines the constant which HEADER declares: FILE's text.
function(ordeal_embed)
  cmake_parse_arguments(A "" "FILE;HEADER;NAMESPACE;VARIABLE;OUTPUT" "" ${ARGN})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${A_FILE})
  file(READ ${CMAKE_CURRENT_SOURCE_DIR}/${A_FILE} text)
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${A_OUTPUT} @ONLY CONTENT
"// Made of ${A_FILE} by ordeal_embed.
#include \"${A_HEADER}\"

namespace ordeal::${A_NAMESPACE} {

const char ${A_VARIABLE}[] = R\"embedded(${text})embedded\";

}  // namespace ordeal::${A_NAMESPACE}
")
endfunction()

# ordeal_library(NAME lockdep_graph HDRS a.h SRCS a.cc DEPS absl::status)
# The target is called ordeal_NAME and has the alias ordeal::NAME.
function(ordeal_library)
  cmake_parse_arguments(A "" "NAME" "HDRS;SRCS;DEPS" ${ARGN})
  if(A_SRCS)
    add_library(ordeal_${A_NAME} STATIC ${A_SRCS} ${A_HDRS})
    ordeal_target_options(ordeal_${A_NAME})
    ordeal_batches(ordeal_${A_NAME})
    target_link_libraries(ordeal_${A_NAME} PUBLIC ${A_DEPS})
  else()
    add_library(ordeal_${A_NAME} INTERFACE)
    target_include_directories(ordeal_${A_NAME} INTERFACE
      $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}>)
    target_link_libraries(ordeal_${A_NAME} INTERFACE ${A_DEPS})
  endif()
  add_library(ordeal::${A_NAME} ALIAS ordeal_${A_NAME})
endfunction()

function(ordeal_test_options target)
  ordeal_target_options(${target})
  target_compile_options(${target} PRIVATE -O1)  # the code of tests need not be fast; their libraries are
  if(ORDEAL_SANITIZE)
    # What is tested is instrumented for both; UBSan in the tests' own code doubles the time to compile them.
    target_compile_options(${target} PRIVATE -fno-sanitize=undefined)
  endif()
endfunction()

# ordeal_test(NAME held_lock_stack_test SRCS held_lock_stack_test.cc DEPS ordeal::lockdep_runtime
#             [DATA_DEPENDS targets that must be built before it runs] [TIMEOUT seconds]
#             [ALONE, a program of its own in every build: it has definitions of its own or replaces operator new]
#             [MACHINE, it looks at the whole machine, its mounts and probes, or changes it: such tests run one at a time])
# A program each. With ORDEAL_FAST_BUILD the tests of a room share one (ordeal_room_tests), which takes half of the processor
# time to compile; a test is then the suites of its sources, in a process of its own as before.
function(ordeal_test)
  cmake_parse_arguments(A "ALONE;MACHINE" "NAME;TIMEOUT" "SRCS;DEPS;DATA_DEPENDS" ${ARGN})
  if(NOT ORDEAL_TESTS)
    return()
  endif()
  # ci/test has 20 minutes for two builds: these rooms' tests run sanitized in long nights (ci/nightly), where this is OFF.
  if(ORDEAL_SANITIZE AND ORDEAL_SHORT_SANITIZE AND
     CMAKE_CURRENT_SOURCE_DIR MATCHES "/lockdep/(exam|predict|preload|report|trace)$")
    return()
  endif()
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 600)
  endif()
  if(ORDEAL_FAST_BUILD AND NOT A_ALONE)
    ordeal_add_to_room_tests(${A_NAME} "${A_SRCS}" "${A_DEPS}" "${A_DATA_DEPENDS}" suites)
    add_test(NAME ${A_NAME} COMMAND ${suites})
  else()
    add_executable(${A_NAME} ${A_SRCS})
    ordeal_test_program(${A_NAME})
    target_link_libraries(${A_NAME} PRIVATE ${A_DEPS} GTest::gmock_main)
    if(A_DATA_DEPENDS)
      add_dependencies(${A_NAME} ${A_DATA_DEPENDS})
    endif()
    add_test(NAME ${A_NAME} COMMAND ${A_NAME})
  endif()
  set_tests_properties(${A_NAME} PROPERTIES TIMEOUT ${A_TIMEOUT} SKIP_REGULAR_EXPRESSION "ORDEAL_SKIPPED"
    FAIL_REGULAR_EXPRESSION "Running 0 tests")
  if(A_MACHINE)
    set_tests_properties(${A_NAME} PROPERTIES RESOURCE_LOCK machine)
  endif()
endfunction()

function(ordeal_test_program target)
  ordeal_test_options(${target})
  ordeal_test_headers(${target})
  target_compile_definitions(${target} PRIVATE
    ORDEAL_SOURCE_DIR="${PROJECT_SOURCE_DIR}" ORDEAL_BINARY_DIR="${PROJECT_BINARY_DIR}")
endfunction()

# Notes the test for ordeal_room_tests(). *command: runs its suites.
function(ordeal_add_to_room_tests name sources dependencies data_dependencies command)
  file(RELATIVE_PATH room ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  string(REGEX REPLACE "^([^/]+/[^/]+)/.*" "\\1" room ${room})  # harness/catalogue/xfs: of harness/catalogue
  string(REPLACE "/" "_" room ${room})
  set(filter "")
  foreach(source IN LISTS sources)
    file(STRINGS ${CMAKE_CURRENT_SOURCE_DIR}/${source} declarations REGEX "^(TEST|TEST_F|TEST_P|TYPED_TEST)\\(")
    list(TRANSFORM declarations REPLACE "^[A-Z_]+\\(([A-Za-z0-9_]+).*" "\\1")
    list(REMOVE_DUPLICATES declarations)
    foreach(suite IN LISTS declarations)
      list(APPEND filter "${suite}.*" "*/${suite}.*" "${suite}/*")  # plain, with parameters, with types
    endforeach()
  endforeach()
  list(JOIN filter ":" filter)
  list(TRANSFORM sources PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  set_property(GLOBAL APPEND PROPERTY ordeal_test_rooms ${room})
  set_property(GLOBAL APPEND PROPERTY ordeal_sources_of_${room} ${sources})
  set_property(GLOBAL APPEND PROPERTY ordeal_dependencies_of_${room} ${dependencies})
  set_property(GLOBAL APPEND PROPERTY ordeal_data_of_${room} ${data_dependencies})
  set(${command} ${PROJECT_BINARY_DIR}/tests/${room}_tests --gtest_filter=${filter} PARENT_SCOPE)
endfunction()

# After all ordeal_test: the programs of ORDEAL_FAST_BUILD.
function(ordeal_room_tests)
  get_property(rooms GLOBAL PROPERTY ordeal_test_rooms)
  list(REMOVE_DUPLICATES rooms)
  foreach(room IN LISTS rooms)
    foreach(kind sources dependencies data)
      get_property(${kind} GLOBAL PROPERTY ordeal_${kind}_of_${room})
      list(REMOVE_DUPLICATES ${kind})
    endforeach()
    add_executable(${room}_tests ${sources})
    set_target_properties(${room}_tests PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    ordeal_test_program(${room}_tests)
    ordeal_batches(${room}_tests)
    target_link_libraries(${room}_tests PRIVATE ${dependencies} GTest::gmock_main)
    if(data)
      add_dependencies(${room}_tests ${data})
    endif()
  endforeach()
endfunction()

# ordeal_benchmark(NAME fiber_benchmark SRCS fiber_benchmark.cc DEPS ordeal::harness_sched)
# All of them are built by the target benchmarks, and by the default target unless ORDEAL_FAST_BUILD is on.
add_custom_target(benchmarks)
function(ordeal_benchmark)
  cmake_parse_arguments(A "" "NAME" "SRCS;DEPS" ${ARGN})
  if(NOT ORDEAL_BENCHMARKS)
    return()
  endif()
  add_executable(${A_NAME} ${A_SRCS})
  ordeal_target_options(${A_NAME})
  target_link_libraries(${A_NAME} PRIVATE ${A_DEPS} benchmark::benchmark_main)
  add_dependencies(benchmarks ${A_NAME})
  if(ORDEAL_FAST_BUILD)
    set_target_properties(${A_NAME} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
endfunction()

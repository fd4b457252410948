# The only ways to add a target. Warnings are errors; every target sees the repository root as its one include path.

function(ordeal_target_options target)
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}>)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Werror -Wno-unused-parameter
    -Wno-missing-field-initializers)
  if(ORDEAL_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=address,undefined
      -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g1 -O1)  # -O3 costs twice the build time
    target_link_options(${target} PUBLIC -fsanitize=address,undefined)
  endif()
endfunction()

# ordeal_library(NAME lockdep_graph HDRS a.h SRCS a.cc DEPS absl::status)
# The target is called ordeal_NAME and has the alias ordeal::NAME.
function(ordeal_library)
  cmake_parse_arguments(A "" "NAME" "HDRS;SRCS;DEPS" ${ARGN})
  if(A_SRCS)
    add_library(ordeal_${A_NAME} STATIC ${A_SRCS} ${A_HDRS})
    ordeal_target_options(ordeal_${A_NAME})
    target_link_libraries(ordeal_${A_NAME} PUBLIC ${A_DEPS})
  else()
    add_library(ordeal_${A_NAME} INTERFACE)
    target_include_directories(ordeal_${A_NAME} INTERFACE
      $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}>)
    target_link_libraries(ordeal_${A_NAME} INTERFACE ${A_DEPS})
  endif()
  add_library(ordeal::${A_NAME} ALIAS ordeal_${A_NAME})
endfunction()

# ordeal_test(NAME held_lock_stack_test SRCS held_lock_stack_test.cc DEPS ordeal::lockdep_runtime
#             [DATA_DEPENDS targets that must be built before it runs] [TIMEOUT seconds])
function(ordeal_test)
  cmake_parse_arguments(A "" "NAME;TIMEOUT" "SRCS;DEPS;DATA_DEPENDS" ${ARGN})
  if(NOT ORDEAL_TESTS)
    return()
  endif()
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 600)
  endif()
  add_executable(${A_NAME} ${A_SRCS})
  ordeal_target_options(${A_NAME})
  target_compile_options(${A_NAME} PRIVATE -O1)  # the code of tests need not be fast; their libraries are
  if(ORDEAL_SANITIZE)
    # What is tested is instrumented for both; UBSan in the tests' own code doubles the time to compile them.
    target_compile_options(${A_NAME} PRIVATE -fno-sanitize=undefined)
  endif()
  target_compile_definitions(${A_NAME} PRIVATE
    ORDEAL_SOURCE_DIR="${PROJECT_SOURCE_DIR}" ORDEAL_BINARY_DIR="${PROJECT_BINARY_DIR}")
  target_link_libraries(${A_NAME} PRIVATE ${A_DEPS} GTest::gmock_main)
  if(A_DATA_DEPENDS)
    add_dependencies(${A_NAME} ${A_DATA_DEPENDS})
  endif()
  add_test(NAME ${A_NAME} COMMAND ${A_NAME})
  set_tests_properties(${A_NAME} PROPERTIES TIMEOUT ${A_TIMEOUT} SKIP_REGULAR_EXPRESSION "ORDEAL_SKIPPED")
endfunction()

# ordeal_benchmark(NAME fiber_benchmark SRCS fiber_benchmark.cc DEPS ordeal::harness_sched)
function(ordeal_benchmark)
  cmake_parse_arguments(A "" "NAME" "SRCS;DEPS" ${ARGN})
  if(NOT ORDEAL_BENCHMARKS)
    return()
  endif()
  add_executable(${A_NAME} ${A_SRCS})
  ordeal_target_options(${A_NAME})
  target_link_libraries(${A_NAME} PRIVATE ${A_DEPS} benchmark::benchmark_main)
endfunction()

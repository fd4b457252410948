# The package's component main: the target ordeal::main, one static library of the harness, all that ships with it and the
# command line, for programs that add their own file systems and scenarios (docs/write-your-own.md). It needs the component
# lockdep, Abseil, Boost.Context, protobuf and libbpf.
#
#   cmake --install build --component lockdep --prefix /usr/local && cmake --install build --component main --prefix /usr/local

if(NOT TARGET ordeal_harness_cli OR NOT TARGET ordeal_harness_catalogue)
  return()  # ORDEAL_SKIP_ROOMS
endif()

# All of our libraries that `target` needs, but for those in ordeal::lockdep, and what else these need to be linked.
function(ordeal_closure target parts_out others_out)
  set(pending ${target})
  set(parts "")
  set(others "")
  while(pending)
    list(POP_FRONT pending next)
    get_target_property(type ${next} TYPE)
    if(type STREQUAL "INTERFACE_LIBRARY")
      get_target_property(dependencies ${next} INTERFACE_LINK_LIBRARIES)
    else()
      list(APPEND parts ${next})
      get_target_property(dependencies ${next} LINK_LIBRARIES)
    endif()
    foreach(dependency IN LISTS dependencies)
      if(NOT dependency MATCHES "^ordeal::")
        list(APPEND others ${dependency})
        continue()
      endif()
      get_target_property(dependency ${dependency} ALIASED_TARGET)
      string(REPLACE "ordeal_" "" part ${dependency})
      if(NOT part IN_LIST ORDEAL_PACKAGE_PARTS AND NOT dependency IN_LIST parts AND NOT dependency IN_LIST pending)
        list(APPEND pending ${dependency})
      endif()
    endforeach()
  endwhile()
  list(REMOVE_DUPLICATES others)
  list(FILTER others EXCLUDE REGEX "NOTFOUND$|^CLI11::|^nlohmann_json::")  # headers that no installed header includes
  set(${parts_out} ${parts} PARENT_SCOPE)
  set(${others_out} ${others} PARENT_SCOPE)
endfunction()

add_library(ordeal_main STATIC)
add_library(ordeal::main ALIAS ordeal_main)
foreach(root ordeal_harness_cli ordeal_harness_catalogue)
  ordeal_closure(${root} parts others)
  list(APPEND main_parts ${parts})
  list(APPEND main_others ${others})
endforeach()
list(REMOVE_DUPLICATES main_parts)
list(REMOVE_DUPLICATES main_others)
foreach(part ${main_parts})
  target_sources(ordeal_main PRIVATE $<TARGET_OBJECTS:${part}>)
endforeach()
list(TRANSFORM main_others REPLACE "^.*/libbpf\\.(so|a)$" "bpf")  # a library by name: a path would be this machine's
target_link_libraries(ordeal_main PUBLIC ordeal_lockdep ${main_others})
set_target_properties(ordeal_main PROPERTIES EXPORT_NAME main LINKER_LANGUAGE CXX)
target_include_directories(ordeal_main PUBLIC
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${ORDEAL_PACKAGE_INCLUDE}>)

install(TARGETS ordeal_main EXPORT ordealMainTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT main)
install(EXPORT ordealMainTargets NAMESPACE ordeal:: DESTINATION ${ORDEAL_PACKAGE_CMAKE} COMPONENT main)
foreach(room choice sched sync cluster pagecache filesystems workload oracle scenario catalogue)
  install(DIRECTORY harness/${room} DESTINATION ${ORDEAL_PACKAGE_INCLUDE}/harness COMPONENT main
    FILES_MATCHING PATTERN "*.h" PATTERN "*_for_test.h" EXCLUDE PATTERN "*_for_benchmark.h" EXCLUDE
    PATTERN "*_test_fixture.h" EXCLUDE PATTERN "trial.h" EXCLUDE PATTERN "cell_history.h" EXCLUDE
    PATTERN "testdata" EXCLUDE)
endforeach()
install(FILES harness/cli/cli.h DESTINATION ${ORDEAL_PACKAGE_INCLUDE}/harness/cli COMPONENT main)

if(ORDEAL_TESTS AND NOT ORDEAL_SANITIZE)  # a user's program is not sanitised
  add_test(NAME own_filesystem_test COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/own_filesystem_test.sh
    ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR} ${CMAKE_CXX_COMPILER} ${CMAKE_COMMAND})
  set_tests_properties(own_filesystem_test PROPERTIES TIMEOUT 300)
endif()

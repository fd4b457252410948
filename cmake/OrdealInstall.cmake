# The package, find_package(ordeal). Here: the target ordeal::lockdep, one static library of the validator, its text reports and
# the locks for real threads. Abseil and threads are all it needs. OrdealInstallMain.cmake adds ordeal::main, the rest.
#
#   cmake --install build --component lockdep --prefix /usr/local

set(ORDEAL_PACKAGE_PARTS lockdep_graph lockdep_runtime lockdep_report lockdep_locks)
foreach(part ${ORDEAL_PACKAGE_PARTS})
  if(NOT TARGET ordeal_${part})
    return()  # ORDEAL_SKIP_ROOMS leaves lockdep out
  endif()
endforeach()

include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

add_library(ordeal_lockdep STATIC)
add_library(ordeal::lockdep ALIAS ordeal_lockdep)
foreach(part ${ORDEAL_PACKAGE_PARTS})
  # A user's shared object may hold the validator. Measured cost of -fPIC over the default -fPIE: docs/using-lockdep.md.
  set_target_properties(ordeal_${part} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_compile_options(ordeal_${part} PRIVATE -fno-semantic-interposition)
  target_sources(ordeal_lockdep PRIVATE $<TARGET_OBJECTS:ordeal_${part}>)
  get_target_property(dependencies ordeal_${part} LINK_LIBRARIES)
  list(FILTER dependencies INCLUDE REGEX "^(absl|Threads)::")
  target_link_libraries(ordeal_lockdep PUBLIC ${dependencies})
endforeach()
set_target_properties(ordeal_lockdep PROPERTIES EXPORT_NAME lockdep LINKER_LANGUAGE CXX)
target_compile_features(ordeal_lockdep PUBLIC cxx_std_20)
set(ORDEAL_PACKAGE_INCLUDE ${CMAKE_INSTALL_INCLUDEDIR}/ordeal)  # of its own: the paths begin with lockdep/
target_include_directories(ordeal_lockdep PUBLIC
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${ORDEAL_PACKAGE_INCLUDE}>)

install(TARGETS ordeal_lockdep EXPORT ordealTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT lockdep)
install(DIRECTORY lockdep/graph lockdep/runtime lockdep/locks lockdep/support
  DESTINATION ${ORDEAL_PACKAGE_INCLUDE}/lockdep COMPONENT lockdep
  FILES_MATCHING PATTERN "*.h" PATTERN "*_for_test.h" EXCLUDE PATTERN "*_for_benchmark.h" EXCLUDE
  PATTERN "testdata" EXCLUDE)
install(FILES lockdep/report/splat.h DESTINATION ${ORDEAL_PACKAGE_INCLUDE}/lockdep/report COMPONENT lockdep)

set(ORDEAL_PACKAGE_CMAKE ${CMAKE_INSTALL_LIBDIR}/cmake/ordeal)
install(EXPORT ordealTargets NAMESPACE ordeal:: DESTINATION ${ORDEAL_PACKAGE_CMAKE} COMPONENT lockdep)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/ordealConfig.cmake.in
  ${PROJECT_BINARY_DIR}/package/ordealConfig.cmake INSTALL_DESTINATION ${ORDEAL_PACKAGE_CMAKE})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/ordealConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/package/ordealConfig.cmake ${PROJECT_BINARY_DIR}/package/ordealConfigVersion.cmake
  DESTINATION ${ORDEAL_PACKAGE_CMAKE} COMPONENT lockdep)

include(${CMAKE_CURRENT_LIST_DIR}/OrdealInstallMain.cmake)

# The interposer of `ordeal lockdep -- PROGRAM`, where its launcher looks: ../lib/ordeal beside the program's bin.
#
#   cmake --install build --component preload --prefix /usr/local
if(TARGET ordeal_preload AND NOT ORDEAL_SANITIZE)
  install(TARGETS ordeal_preload LIBRARY DESTINATION lib/ordeal COMPONENT preload)
endif()

if(ORDEAL_TESTS AND NOT ORDEAL_SANITIZE)  # a user's program is not sanitised
  add_test(NAME lockdep_package_test COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/package_test.sh
    ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR} ${CMAKE_CXX_COMPILER} ${CMAKE_COMMAND})
  set_tests_properties(lockdep_package_test PROPERTIES TIMEOUT 300)
endif()

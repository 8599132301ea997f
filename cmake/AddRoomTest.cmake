# SPDX-License-Identifier: Apache-2.0
#
#   add_room_test(registry eviction_test.cpp model_registry_test.cpp)
#     One GoogleTest program for a room; each test carries the room's name as its label (ctest -L registry).
#
#   add_compile_fail_test(handle_needs_a_type handle_needs_a_type.cpp "no matching function")
#     The file must compile as it is, and must be refused, with a message that the regular expression matches, when
#     MUST_NOT_COMPILE is defined.

function(add_room_test room)
  set(target remotemedia_${room}_test)
  add_executable(${target} ${ARGN} "${PROJECT_SOURCE_DIR}/tests/cpp/testing/thread_sanitizer.cpp")
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests/cpp")
  target_link_libraries(${target} PRIVATE remotemedia_${room} GTest::gmock GTest::gtest_main)
  gtest_discover_tests(
    ${target}
    TEST_PREFIX "${room}."
    DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS ${room})
endfunction()

function(add_compile_fail_test name source expected)
  set(command ${CMAKE_CXX_COMPILER} ${CMAKE_CXX20_STANDARD_COMPILE_OPTION} -fsyntax-only -I "${PROJECT_SOURCE_DIR}/cpp"
              "${CMAKE_CURRENT_SOURCE_DIR}/${source}")
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    list(APPEND command -Wthread-safety -Werror=thread-safety)
  endif()
  add_test(NAME compile.${name}.compiles COMMAND ${command})
  add_test(NAME compile.${name}.is_refused COMMAND ${command} -DMUST_NOT_COMPILE)
  set_tests_properties(compile.${name}.is_refused PROPERTIES PASS_REGULAR_EXPRESSION "error: [^\n]*(${expected})")
  set_tests_properties(compile.${name}.compiles compile.${name}.is_refused PROPERTIES LABELS compile)
endfunction()

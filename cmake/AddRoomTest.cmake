# SPDX-License-Identifier: Apache-2.0
#
#   add_room_test(registry eviction_test.cpp model_registry_test.cpp)
#     One GoogleTest program for a room; each test carries the room's name as its label (ctest -L registry). Built for
#     another system, whose programs start slowly here, all of it is one test.
#
#   add_fault_test(memory allocator_fault_test.cpp)
#     On Linux, one more program for a room, whose system calls can be made to fail or to be the last
#     (testing/system_faults.h). Its main() lets it start peers of itself (platform/conformance/peer_process.h).
#
#   add_compile_fail_test(handle_needs_a_type handle_needs_a_type.cpp "no matching function")
#     The file must compile as it is, and must be refused, with a message that the regular expression matches, when
#     MUST_NOT_COMPILE is defined. Nothing that depends on the system, so that it is asked where the build runs only.

# GoogleTest, and what most tests include, compiled once.
function(use_test_headers target)
  target_link_libraries(${target} PRIVATE remotemedia_test_headers)
  if(NOT CMAKE_DISABLE_PRECOMPILE_HEADERS)
    target_precompile_headers(${target} REUSE_FROM remotemedia_test_headers)
  endif()
endfunction()

function(add_room_test room)
  set(target remotemedia_${room}_test)
  add_executable(${target} ${ARGN})
  use_test_headers(${target})
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests/cpp")
  target_link_libraries(${target} PRIVATE remotemedia_${room} remotemedia_child_process GTest::gtest_main)
  if(REMOTEMEDIA_SANITIZE)  # takes several times the time and the memory
    target_compile_definitions(${target} PRIVATE REMOTEMEDIA_SANITIZED)
  endif()
  if(CMAKE_CROSSCOMPILING)
    add_test(NAME ${room} COMMAND ${target})
    # Not its exit code: Wine says 0 of a program that it ended because of a fault in a second thread.
    set_tests_properties(${room} PROPERTIES PASS_REGULAR_EXPRESSION "\n\\[  PASSED  \\] [0-9]+ tests?\\."
                                            FAIL_REGULAR_EXPRESSION "\\[  FAILED  \\]")
    return()
  endif()
  gtest_discover_tests(
    ${target}
    TEST_PREFIX "${room}."
    DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS ${room})
endfunction()

function(add_fault_test room)
  if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
    return()
  endif()
  set(target remotemedia_${room}_fault_test)
  set(tests "${PROJECT_SOURCE_DIR}/tests/cpp")
  set(peer "${tests}/platform/conformance/peer")
  add_executable(${target} ${ARGN} "${tests}/testing/system_faults.cpp" "${peer}_main.cpp" "${peer}_process.cpp")
  use_test_headers(${target})
  target_include_directories(${target} PRIVATE "${tests}")
  target_link_libraries(${target} PRIVATE remotemedia_${room} remotemedia_child_process GTest::gtest)
  # Each has its wrapper in system_faults.cpp.
  set(calls
      accept4 bind chmod close connect eventfd fchmod fcntl flock fstat fstatfs ftruncate getentropy getrlimit
      getsockopt listen lstat madvise memfd_create mincore mkdir mmap munmap open poll preadv2 process_vm_readv read
      readlink recvmsg rename sendmsg setsockopt shutdown socket socketpair stat syscall unlink write)
  list(TRANSFORM calls PREPEND "LINKER:--wrap=")
  target_link_options(${target} PRIVATE ${calls})
  gtest_discover_tests(
    ${target}
    TEST_PREFIX "${room}.faults."
    DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS ${room} RESOURCE_LOCK names_of_shared_memory)
endfunction()

function(add_compile_fail_test name source expected)
  if(CMAKE_CROSSCOMPILING)
    return()
  endif()
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

# SPDX-License-Identifier: Apache-2.0
#
# Language level, warnings, sanitizers and the compiler cache: one place for all targets.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

  get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
  if(NOT multi_config AND NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
  endif()

  find_program(CCACHE_PROGRAM ccache)
  if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # Another build of these sources finds what this one has compiled, whatever its folder and its generator.
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env "CCACHE_BASEDIR=${PROJECT_BINARY_DIR}" CCACHE_NOHASHDIR=1
                                    "${CCACHE_PROGRAM}")
  endif()
endif()

# What our own targets are compiled with; third-party targets of the same build are not.
if(MSVC)
  set(REMOTEMEDIA_WARNINGS /W4)
else()
  set(REMOTEMEDIA_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  list(APPEND REMOTEMEDIA_WARNINGS -Wthread-safety)
endif()
if(REMOTEMEDIA_WERROR)
  list(APPEND REMOTEMEDIA_WARNINGS $<IF:$<CXX_COMPILER_ID:MSVC>,/WX,-Werror>)
endif()

add_compile_definitions($<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)

# Objects of some hundred bytes are cleared and copied with every call. GCC's own choice for any x86-64, one instruction
# that repeats itself, takes several times as long to begin as they take.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  foreach(operation memset memcpy)
    add_compile_options(-m${operation}-strategy=vector_loop:512:noalign,libcall:-1:noalign)
  endforeach()

  # Where the lines of the cache end in a call's functions is worth a twentieth of its time, and moves with every change.
  if(NOT REMOTEMEDIA_SANITIZE)
    add_compile_options(-falign-functions=64)
  endif()
endif()

if(REMOTEMEDIA_SANITIZE)
  set(sanitizer_flags -fsanitize=${REMOTEMEDIA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  if(REMOTEMEDIA_SANITIZE MATCHES "undefined")
    # It opens a pipe to see whether an address can be read, and takes every object for a wrong one where no descriptor
    # is left, which is what some tests are about.
    list(APPEND sanitizer_flags -fno-sanitize=vptr)
  endif()
  if(REMOTEMEDIA_SANITIZE MATCHES "address")
    add_compile_definitions(REMOTEMEDIA_RECYCLES_NOTHING)  # so that it sees what is used after its end
  endif()
  add_compile_options(${sanitizer_flags})
  add_link_options(${sanitizer_flags})
endif()

# SPDX-License-Identifier: Apache-2.0
#
# A room is a folder of cpp/remotemedia, a static library of its own, and a part of the library `remotemedia`.
#
#   add_room(NAME registry
#            SOURCES model_registry.cpp
#            HEADERS model_registry.h
#            USES base platform
#            LINKS ntdll
#            APART)
#
# HEADERS are the public ones: they are installed, and each must compile alone. USES names the rooms that this one may
# call; nothing else is linked to its tests. LINKS names libraries of the system. A room that is APART is no part of the
# library. Sources that end in _linux, _macos, _windows or _posix are taken on that system only, and one that ends in
# _std where none of those is taken in its place.

find_package(Threads REQUIRED)

function(sources_of_this_system result)
  if(WIN32)
    set(ours "windows")
  elseif(APPLE)
    set(ours "macos|posix")
  else()
    set(ours "linux|posix")
  endif()
  set(taken "")
  foreach(source IN LISTS ARGN)
    string(REGEX REPLACE "_std\\.cpp$" "" stem "${source}")
    if(NOT source MATCHES "_(linux|macos|windows|posix|std)\\.cpp$" OR source MATCHES "_(${ours})\\.cpp$")
      list(APPEND taken "${source}")
    elseif(source MATCHES "_std\\.cpp$" AND NOT ";${ARGN};" MATCHES ";${stem}_(${ours})\\.cpp;")
      list(APPEND taken "${source}")
    endif()
  endforeach()
  set(${result} "${taken}" PARENT_SCOPE)
endfunction()

function(add_room)
  cmake_parse_arguments(PARSE_ARGV 0 ROOM "APART" "NAME" "SOURCES;HEADERS;USES;LINKS")
  if(ROOM_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "add_room(${ROOM_NAME}): unknown arguments ${ROOM_UNPARSED_ARGUMENTS}")
  endif()

  sources_of_this_system(sources ${ROOM_SOURCES})

  set(target remotemedia_${ROOM_NAME})
  set(scope PUBLIC)
  if(sources)
    add_library(${target} STATIC ${sources})
    set_target_properties(
      ${target}
      PROPERTIES POSITION_INDEPENDENT_CODE ON
                 CXX_VISIBILITY_PRESET hidden
                 VISIBILITY_INLINES_HIDDEN ON)
    if(NOT ROOM_APART)
      set_property(GLOBAL APPEND PROPERTY REMOTEMEDIA_ROOM_OBJECTS $<TARGET_OBJECTS:${target}>)
    endif()
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_compile_features(${target} ${scope} cxx_std_20)
  target_include_directories(${target} ${scope} "${PROJECT_SOURCE_DIR}/cpp")
  if(WIN32 AND BUILD_SHARED_LIBS)
    target_compile_definitions(${target} ${scope} REMOTEMEDIA_SHARED_BUILD)
  endif()
  list(TRANSFORM ROOM_USES PREPEND remotemedia_)
  target_link_libraries(${target} ${scope} ${ROOM_USES} ${ROOM_LINKS} Threads::Threads)
  if(ROOM_APART)
    return()
  endif()
  set_property(GLOBAL APPEND PROPERTY REMOTEMEDIA_ROOM_LINKS ${ROOM_LINKS})

  list(TRANSFORM ROOM_HEADERS PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/")
  set_property(GLOBAL APPEND PROPERTY REMOTEMEDIA_ROOM_HEADERS ${ROOM_HEADERS})
endfunction()

# SPDX-License-Identifier: Apache-2.0
#
# A wheel has the program and the backend where the machine that builds it has what they need, unless told otherwise.

if(NOT DEFINED REMOTEMEDIA_BUILD_PROGRAMS)
  find_package(CLI11 QUIET)
  find_package(spdlog QUIET)
  if(CLI11_FOUND AND spdlog_FOUND)
    set(REMOTEMEDIA_BUILD_PROGRAMS ON)
  endif()
endif()
if(NOT DEFINED REMOTEMEDIA_BUILD_OPENVINO)
  execute_process(
    COMMAND "${Python_EXECUTABLE}" -c "import openvino"
    RESULT_VARIABLE openvino_is_missing
    OUTPUT_QUIET ERROR_QUIET)
  if(openvino_is_missing EQUAL 0)
    set(REMOTEMEDIA_BUILD_OPENVINO ON)
  endif()
endif()

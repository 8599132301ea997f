# SPDX-License-Identifier: Apache-2.0
#
# A wheel has the program, the backend and the wire where the machine that builds it has what they need, unless told
# otherwise.

if(NOT DEFINED REMOTEMEDIA_BUILD_PROGRAMS)
  find_package(CLI11 QUIET)
  find_package(spdlog QUIET)
  if(CLI11_FOUND AND spdlog_FOUND)
    set(REMOTEMEDIA_BUILD_PROGRAMS ON)
  endif()
endif()
if(NOT DEFINED REMOTEMEDIA_BUILD_GRPC)
  find_package(Protobuf QUIET)
  find_package(gRPC CONFIG QUIET)
  if(Protobuf_FOUND AND gRPC_FOUND)
    set(REMOTEMEDIA_BUILD_GRPC ON)
  endif()
endif()
if(NOT DEFINED REMOTEMEDIA_BUILD_HTTP)
  find_package(Boost 1.74 QUIET)
  find_package(nlohmann_json QUIET)
  find_package(OpenSSL QUIET)
  if(Boost_FOUND AND nlohmann_json_FOUND AND OPENSSL_FOUND)
    set(REMOTEMEDIA_BUILD_HTTP ON)
  endif()
endif()
if(REMOTEMEDIA_BUILD_GRPC OR REMOTEMEDIA_BUILD_HTTP)
  set(BUILD_SHARED_LIBS ON) # which loads the wire when somebody asks for it
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

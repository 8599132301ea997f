# SPDX-License-Identifier: Apache-2.0
#
# `find_package(remotemedia)` after `cmake --install`, and from the build tree (remotemedia_DIR = build/<preset>).

include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/remotemedia")

install(
  TARGETS remotemedia
  EXPORT remotemediaTargets
  FILE_SET HEADERS)
install(
  EXPORT remotemediaTargets
  NAMESPACE remotemedia::
  DESTINATION "${config_dir}")
export(
  EXPORT remotemediaTargets
  NAMESPACE remotemedia::
  FILE "${PROJECT_BINARY_DIR}/remotemediaTargets.cmake")

configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/remotemediaConfig.cmake.in" "${PROJECT_BINARY_DIR}/remotemediaConfig.cmake"
  INSTALL_DESTINATION "${config_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/remotemediaConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/remotemediaConfig.cmake" "${PROJECT_BINARY_DIR}/remotemediaConfigVersion.cmake"
        DESTINATION "${config_dir}")

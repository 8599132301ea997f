// SPDX-License-Identifier: Apache-2.0
//
// Code that is loaded while a program runs.

#pragma once

#include <string>

#include "remotemedia/base/export.h"

namespace remotemedia::platform {

/// Loaded once, however often it is opened, and there until the process ends: what libraries leave behind (threads,
/// thread-local variables, tables of types) does not survive unloading.
class REMOTEMEDIA_API SharedLibrary {
 public:
  /// Errors:  load_failed with the system's reason.
  static SharedLibrary open(const std::string& path);

  /// nullptr where it has no such function.
  using Function = void (*)();
  Function find(const char* name) const noexcept;

 private:
  explicit SharedLibrary(void* handle) noexcept : handle_(handle) {}
  void* handle_;
};

}  // namespace remotemedia::platform

// SPDX-License-Identifier: Apache-2.0
//
// OsError: the operating system refused something. Names the call and why.

#pragma once

#include <string>
#include <string_view>

#include "remotemedia/base/error.h"
#include "remotemedia/base/export.h"

namespace remotemedia::platform {

/// Thrown with the code that says what a caller can do: out_of_memory where the system has no memory or no room left,
/// deadline_exceeded where it did not come to it in time, else shared_memory_unavailable.
class REMOTEMEDIA_API OsError : public Error {
 public:
  /// `call` is the system's function ("mmap"), `number` its errno or GetLastError(), `what` the thing that was tried
  /// ("map 64 MiB of shared memory").
  OsError(std::string_view call, int number, const std::string& what);
  ~OsError() override;
  OsError(const OsError&) = default;
  OsError& operator=(const OsError&) = default;

  const std::string& call() const noexcept { return call_; }
  int number() const noexcept { return number_; }

 private:
  std::string call_;
  int number_;
};

}  // namespace remotemedia::platform

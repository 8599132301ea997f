// SPDX-License-Identifier: Apache-2.0

#include <cerrno>
#include <system_error>

#include "remotemedia/platform/os_error.h"

namespace remotemedia::platform {
namespace {

ErrorCode code_of(int number) noexcept {
  switch (number) {
    case ENOMEM:
    case ENOBUFS:
    case ENOSPC:
    case EDQUOT:
    case EFAULT:  // what Linux says when it has no page to put behind an address
      return ErrorCode::out_of_memory;
    case ETIMEDOUT:
      return ErrorCode::deadline_exceeded;
    default:
      return ErrorCode::shared_memory_unavailable;
  }
}

}  // namespace

OsError::OsError(std::string_view call, int number, const std::string& what)
    : Error(code_of(number), "cannot " + what + ": " + std::string(call) + "() says " +
                                 std::generic_category().message(number) + " (" + std::to_string(number) + ")"),
      call_(call),
      number_(number) {}

OsError::~OsError() = default;

}  // namespace remotemedia::platform

// SPDX-License-Identifier: Apache-2.0

#include <array>
#include <string>

#include "remotemedia/platform/handle_windows.h"
#include "remotemedia/platform/os_error.h"

namespace remotemedia::platform {
namespace {

ErrorCode code_of(int number) noexcept {
  switch (number) {
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
    case ERROR_COMMITMENT_LIMIT:
    case ERROR_COMMITMENT_MINIMUM:
    case ERROR_PAGEFILE_QUOTA:
    case ERROR_NOT_ENOUGH_QUOTA:
    case ERROR_WORKING_SET_QUOTA:
    case ERROR_NO_SYSTEM_RESOURCES:
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
      return ErrorCode::out_of_memory;
    case ERROR_TIMEOUT:
    case ERROR_SEM_TIMEOUT:
    case WAIT_TIMEOUT:
      return ErrorCode::deadline_exceeded;
    default:
      return ErrorCode::shared_memory_unavailable;
  }
}

std::string text_of(int number) {
  std::array<wchar_t, 512> wide{};
  const DWORD length =
      FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr, static_cast<DWORD>(number), 0,
                     wide.data(), static_cast<DWORD>(wide.size()), nullptr);
  std::array<char, 3 * 512> text{};
  const int bytes = WideCharToMultiByte(CP_UTF8, 0, wide.data(), static_cast<int>(length), text.data(),
                                        static_cast<int>(text.size()), nullptr, nullptr);
  const std::string whole(text.data(), static_cast<std::size_t>(bytes));
  return whole.substr(0, whole.find_last_not_of(" .\r\n") + 1);
}

}  // namespace

OsError::OsError(std::string_view call, int number, const std::string& what)
    : Error(code_of(number), "could not " + what + ": " + std::string(call) + ": " + text_of(number) + " (" +
                                 std::to_string(number) + ")"),
      call_(call),
      number_(number) {}

OsError::~OsError() = default;

}  // namespace remotemedia::platform

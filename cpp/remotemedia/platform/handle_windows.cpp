// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/handle_windows.h"

#include <winternl.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/platform/os_error.h"

namespace remotemedia::platform {

int last_error() noexcept { return static_cast<int>(GetLastError()); }

OwnedHandle made(HANDLE handle, std::string_view call, const std::string& what) {
  if (handle == nullptr || handle == INVALID_HANDLE_VALUE) throw OsError(call, last_error(), what);
  return OwnedHandle(native(handle));
}

OwnedHandle duplicate_of(NativeHandle handle, DWORD rights, const std::string& what) {
  HANDLE duplicate = nullptr;
  if (DuplicateHandle(GetCurrentProcess(), raw(handle), GetCurrentProcess(), &duplicate, rights, FALSE,
                      rights == 0 ? DUPLICATE_SAME_ACCESS : 0) == FALSE) {
    throw OsError("DuplicateHandle", last_error(), what);
  }
  return OwnedHandle(native(duplicate));
}

OwnedHandle create_event() {
  return made(CreateEventW(nullptr, TRUE, FALSE, nullptr), "CreateEvent", "make an event to wait for");
}

std::optional<HandleFacts> facts_of(NativeHandle handle) {
  if (handle == 0 || handle == kNoHandle) return std::nullopt;
  PUBLIC_OBJECT_BASIC_INFORMATION basic{};
  if (NtQueryObject(raw(handle), ObjectBasicInformation, &basic, sizeof basic, nullptr) < 0) return std::nullopt;
  alignas(PUBLIC_OBJECT_TYPE_INFORMATION) std::array<std::byte, 1024> buffer{};
  if (NtQueryObject(raw(handle), ObjectTypeInformation, buffer.data(), static_cast<ULONG>(buffer.size()), nullptr) <
      0) {
    return std::nullopt;
  }
  const UNICODE_STRING& name = reinterpret_cast<PUBLIC_OBJECT_TYPE_INFORMATION*>(buffer.data())->TypeName;
  return HandleFacts{std::wstring(name.Buffer, name.Length / sizeof(wchar_t)), basic.GrantedAccess};
}

DWORD milliseconds_until(TimePoint deadline) noexcept {
  if (deadline == TimePoint::max()) return INFINITE;
  const TimePoint now = monotonic_clock().now();
  if (deadline <= now) return 0;
  constexpr std::chrono::milliseconds longest = std::chrono::hours{24};
  const auto left =
      deadline < later(now, longest) ? std::chrono::ceil<std::chrono::milliseconds>(deadline - now) : longest;
  return static_cast<DWORD>(left.count());
}

bool wait_for(NativeHandle handle, TimePoint deadline) {
  for (;;) {
    const DWORD patience = milliseconds_until(deadline);
    switch (WaitForSingleObject(raw(handle), patience)) {
      case WAIT_OBJECT_0:
        return true;
      case WAIT_TIMEOUT:
        if (patience == 0 || milliseconds_until(deadline) == 0) return false;
        break;
      default:
        throw OsError("WaitForSingleObject", last_error(), "wait for another process");
    }
  }
}

}  // namespace remotemedia::platform

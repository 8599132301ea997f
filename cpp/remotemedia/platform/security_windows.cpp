// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/security_windows.h"

#include <sddl.h>

#include <array>

#include "remotemedia/platform/os_error.h"

namespace remotemedia::platform {

SecurityDescriptor::SecurityDescriptor(const std::wstring& text) {
  if (ConvertStringSecurityDescriptorToSecurityDescriptorW(text.c_str(), SDDL_REVISION_1, &descriptor_, nullptr) ==
      FALSE) {
    throw OsError("ConvertStringSecurityDescriptorToSecurityDescriptor", last_error(), "keep others out");
  }
}

SecurityDescriptor::~SecurityDescriptor() { LocalFree(descriptor_); }

SECURITY_ATTRIBUTES SecurityDescriptor::attributes() const noexcept {
  return {.nLength = sizeof(SECURITY_ATTRIBUTES), .lpSecurityDescriptor = descriptor_, .bInheritHandle = FALSE};
}

std::wstring user_of(HANDLE process) {
  const std::string what = "find out whose a process is";
  HANDLE opened = nullptr;
  if (OpenProcessToken(process, TOKEN_QUERY, &opened) == FALSE) throw OsError("OpenProcessToken", last_error(), what);
  const OwnedHandle token(native(opened));
  alignas(TOKEN_USER) std::array<std::byte, sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE> buffer{};
  DWORD used = 0;
  if (GetTokenInformation(raw(token), TokenUser, buffer.data(), static_cast<DWORD>(buffer.size()), &used) == FALSE) {
    throw OsError("GetTokenInformation", last_error(), what);
  }
  wchar_t* text = nullptr;
  if (ConvertSidToStringSidW(reinterpret_cast<TOKEN_USER*>(buffer.data())->User.Sid, &text) == FALSE) {
    throw OsError("ConvertSidToStringSid", last_error(), what);
  }
  std::wstring user(text);
  LocalFree(text);
  return user;
}

std::wstring only_this_user() {
  const std::wstring user = user_of(GetCurrentProcess());
  return L"O:" + user + L"D:P(A;OICI;FA;;;" + user + L")";
}

}  // namespace remotemedia::platform

// SPDX-License-Identifier: Apache-2.0

#include <aclapi.h>
#include <bcrypt.h>
#include <sddl.h>
#include <winternl.h>

#include <algorithm>
#include <array>
#include <memory>

#include "remotemedia/platform/handle_windows.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/security_windows.h"
#include "remotemedia/platform/shared_memory.h"

namespace remotemedia::platform {
namespace {

std::wstring sid_text(PSID sid) {
  wchar_t* text = nullptr;
  if (ConvertSidToStringSidW(sid, &text) == FALSE) throw OsError("ConvertSidToStringSid", last_error(), "read a SID");
  std::wstring copy(text);
  LocalFree(text);
  return copy;
}

/// The system and its administrators enter everywhere.
bool may_enter(const std::wstring& sid, const std::wstring& user) {
  return sid == user || sid == L"S-1-5-18" || sid == L"S-1-5-32-544";
}

/// Whether nobody but `user` and the machine's administrators has an entry in `list`. No list permits everybody.
bool only_permits(const ACL* list, const std::wstring& user) {
  if (list == nullptr) return false;
  for (DWORD i = 0; i < list->AceCount; ++i) {
    void* entry = nullptr;
    if (GetAce(const_cast<ACL*>(list), i, &entry) == FALSE) return false;
    auto* const header = static_cast<ACE_HEADER*>(entry);
    if (header->AceType == ACCESS_DENIED_ACE_TYPE || (header->AceFlags & INHERIT_ONLY_ACE) != 0) continue;
    if (header->AceType != ACCESS_ALLOWED_ACE_TYPE) return false;
    if (!may_enter(sid_text(&static_cast<ACCESS_ALLOWED_ACE*>(entry)->SidStart), user)) return false;
  }
  return true;
}

[[noreturn]] void refuse(const std::filesystem::path& folder, const std::string& found) {
  throw Error(ErrorCode::shared_memory_unavailable,
              "asked for a folder of this user's own, found " + folder.string() + " to be " + found + ": remove it");
}

void check_own_folder(const std::filesystem::path& folder) {
  const OwnedHandle opened =
      made(CreateFileW(folder.c_str(), READ_CONTROL | FILE_READ_ATTRIBUTES,
                       FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr, OPEN_EXISTING,
                       FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, nullptr),
           "CreateFile", "open the folder " + folder.string());
  BY_HANDLE_FILE_INFORMATION facts{};
  if (GetFileInformationByHandle(raw(opened), &facts) == FALSE) {
    throw OsError("GetFileInformationByHandle", last_error(), "look at the folder " + folder.string());
  }
  if ((facts.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0) refuse(folder, "a link");
  if ((facts.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0) refuse(folder, "no folder");

  PSID owner = nullptr;
  ACL* list = nullptr;
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  const DWORD error =
      GetSecurityInfo(raw(opened), SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, &owner,
                      nullptr, &list, nullptr, &descriptor);
  if (error != ERROR_SUCCESS) {
    throw OsError("GetSecurityInfo", static_cast<int>(error), "see who may enter " + folder.string());
  }
  const std::unique_ptr<void, decltype(&LocalFree)> whole(descriptor, &LocalFree);
  const std::wstring user = user_of(GetCurrentProcess());
  if (sid_text(owner) != user) refuse(folder, "another user's");
  if (!only_permits(list, user)) refuse(folder, "open to others");
}

std::filesystem::path run_directory_path() {
  std::array<wchar_t, MAX_PATH + 1> folder{};
  const DWORD length = GetEnvironmentVariableW(L"XDG_RUNTIME_DIR", folder.data(), static_cast<DWORD>(folder.size()));
  if (length > 0 && length < folder.size()) return std::filesystem::path(folder.data()) / L"remotemedia";
  if (GetTempPathW(static_cast<DWORD>(folder.size()), folder.data()) == 0) {
    throw OsError("GetTempPath", last_error(), "find the folder for temporary files");
  }
  return std::filesystem::path(folder.data()) / (L"remotemedia-" + user_of(GetCurrentProcess()));
}

}  // namespace

std::size_t page_bytes() noexcept {
  static const std::size_t bytes = [] {
    SYSTEM_INFO facts{};
    GetSystemInfo(&facts);
    return static_cast<std::size_t>(facts.dwPageSize);
  }();
  return bytes;
}

// What this process may still commit counts the limits of its job.
std::optional<std::size_t> available_memory() noexcept {
  MEMORYSTATUSEX facts{};
  facts.dwLength = sizeof facts;
  if (GlobalMemoryStatusEx(&facts) == FALSE) return std::nullopt;
  return static_cast<std::size_t>(std::min(facts.ullAvailPhys, facts.ullAvailPageFile));
}

std::int64_t process_id() noexcept { return static_cast<std::int64_t>(GetCurrentProcessId()); }

void random_bytes(std::span<std::byte> bytes) {
  constexpr std::size_t kAtOnce = std::size_t{1} << 30;
  while (!bytes.empty()) {
    const std::span<std::byte> some = bytes.first(std::min(bytes.size(), kAtOnce));
    const NTSTATUS status = BCryptGenRandom(nullptr, reinterpret_cast<UCHAR*>(some.data()),
                                            static_cast<ULONG>(some.size()), BCRYPT_USE_SYSTEM_PREFERRED_RNG);
    if (status < 0) {
      throw OsError("BCryptGenRandom", static_cast<int>(RtlNtStatusToDosError(status)), "get random bytes");
    }
    bytes = bytes.subspan(some.size());
  }
}

std::filesystem::path run_directory() {
  std::filesystem::path folder = run_directory_path();
  const SecurityDescriptor mine(only_this_user());
  SECURITY_ATTRIBUTES security = mine.attributes();
  if (CreateDirectoryW(folder.c_str(), &security) == FALSE && GetLastError() != ERROR_ALREADY_EXISTS) {
    throw OsError("CreateDirectory", last_error(), "make the folder " + folder.string());
  }
  check_own_folder(folder);
  return folder;
}

void prefer_huge_pages(std::byte* /*memory*/, std::size_t /*bytes*/) noexcept {}

SharedMemorySupport probe_shared_memory() noexcept {
  SharedMemorySupport support;
  try {
    const SharedMemory memory = SharedMemory::create(page_bytes());
    memory.map(Access::read_write).populate();
    support.available = true;
  } catch (const std::exception& error) {
    support.reason = error.what();
  }
  return support;
}

}  // namespace remotemedia::platform

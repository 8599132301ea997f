// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/address_windows.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <new>
#include <vector>

#include "remotemedia/platform/channel_windows.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/security_windows.h"

namespace remotemedia::platform {
namespace {

constexpr std::size_t kDraftSuffix = 9;  // characters that a file's name has more until it is complete
constexpr DWORD kSharedWithAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

OwnedHandle open_existing(const std::filesystem::path& file, DWORD rights) noexcept {
  HANDLE opened = CreateFileW(file.c_str(), rights, kSharedWithAll, nullptr, OPEN_EXISTING,
                              FILE_FLAG_OPEN_REPARSE_POINT | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, nullptr);
  return OwnedHandle(native(opened));
}

bool rename_to(const OwnedHandle& file, const std::filesystem::path& address) {
  const std::wstring& name = address.native();
  std::vector<std::byte> buffer(sizeof(FILE_RENAME_INFO) + name.size() * sizeof(wchar_t));
  auto* const facts = new (buffer.data()) FILE_RENAME_INFO{};
  facts->FileNameLength = static_cast<DWORD>(name.size() * sizeof(wchar_t));
  std::memcpy(&facts->FileName, name.data(), facts->FileNameLength);
  return SetFileInformationByHandle(raw(file), FileRenameInfo, facts, static_cast<DWORD>(buffer.size())) != FALSE;
}

std::optional<std::wstring> name_in(const OwnedHandle& file) noexcept {
  std::array<char, 128> text{};
  DWORD size = 0;
  if (!file || GetFileType(raw(file)) != FILE_TYPE_DISK ||
      ReadFile(raw(file), text.data(), static_cast<DWORD>(text.size()), &size, nullptr) == FALSE) {
    return std::nullopt;
  }
  std::wstring name(text.data(), text.data() + size);
  if (!is_pipe_name(name)) return std::nullopt;
  return name;
}

}  // namespace

void check_address(const std::filesystem::path& address) {
  if (!address.empty() && address.native().size() + kDraftSuffix < MAX_PATH) return;
  throw Error(ErrorCode::invalid_argument, "asked for the address '" + address.string() + "': a path has 1 to " +
                                               std::to_string(MAX_PATH - 1 - kDraftSuffix) + " characters");
}

OwnedHandle publish_address(const std::filesystem::path& address, const std::wstring& pipe_name) {
  const std::string what = "listen at " + address.string();
  const std::filesystem::path draft = address.native() + pipe_name.substr(pipe_name.size() - kDraftSuffix);
  const SecurityDescriptor mine(only_this_user());
  SECURITY_ATTRIBUTES security = mine.attributes();
  OwnedHandle file = made(CreateFileW(draft.c_str(), GENERIC_WRITE | DELETE, FILE_SHARE_READ, &security, CREATE_NEW,
                                      FILE_ATTRIBUTE_NORMAL, nullptr),
                          "CreateFile", what);
  const std::string text(pipe_name.begin(), pipe_name.end());
  DWORD written = 0;
  const bool done = WriteFile(raw(file), text.data(), static_cast<DWORD>(text.size()), &written, nullptr) != FALSE &&
                    (rename_to(file, address) || (remove_address_if_dead(address) && rename_to(file, address)));
  if (!done) {
    const int error = last_error();
    withdraw_address(std::move(file));
    throw OsError("SetFileInformationByHandle", error, what);
  }
  return file;
}

void withdraw_address(OwnedHandle file) noexcept {
  FILE_DISPOSITION_INFO facts{.DeleteFile = TRUE};
  SetFileInformationByHandle(raw(file), FileDispositionInfo, &facts, sizeof facts);
}

std::optional<std::wstring> read_address(const std::filesystem::path& address) {
  return name_in(open_existing(address, GENERIC_READ));
}

// Who listens shares his file with nobody who would delete it, so that it cannot be opened here.
bool remove_address_if_dead(const std::filesystem::path& address) noexcept {
  OwnedHandle file = open_existing(address, GENERIC_READ | DELETE);
  const std::optional<std::wstring> name = name_in(file);
  if (!name || WaitNamedPipeW(name->c_str(), 1) != FALSE || GetLastError() != ERROR_FILE_NOT_FOUND) return false;
  withdraw_address(std::move(file));
  return true;
}

}  // namespace remotemedia::platform

// SPDX-License-Identifier: Apache-2.0

#include <winternl.h>

#include <algorithm>
#include <array>

#include "remotemedia/base/hexadecimal.h"
#include "remotemedia/platform/channel_windows.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/security_windows.h"

namespace remotemedia::platform {
namespace {

constexpr std::wstring_view kNamePrefix = L"\\\\.\\pipe\\remotemedia-";
constexpr std::wstring_view kDigits = L"0123456789abcdef";
constexpr std::size_t kRandomBytes = 16;

/// Where an end is closed, the process that the pipe names may be a later one of the same number.
bool both_ends_are_there(const OwnedHandle& pipe) noexcept {
  IO_STATUS_BLOCK status{};
  FILE_PIPE_LOCAL_INFORMATION facts{};
  constexpr ULONG kConnected = 3;
  return NtQueryInformationFile(raw(pipe), &status, &facts, sizeof facts, FilePipeLocalInformation) >= 0 &&
         facts.NamedPipeState == kConnected;
}

}  // namespace

std::wstring random_pipe_name() {
  std::array<std::byte, kRandomBytes> random{};
  random_bytes(random);
  const std::string digits = hexadecimal(random);
  return std::wstring(kNamePrefix).append(digits.begin(), digits.end());
}

bool is_pipe_name(std::wstring_view name) noexcept {
  return name.size() == kNamePrefix.size() + 2 * kRandomBytes && name.starts_with(kNamePrefix) &&
         name.find_first_not_of(kDigits, kNamePrefix.size()) == std::wstring_view::npos;
}

OwnedHandle create_pipe(const std::wstring& name, bool first) {
  const SecurityDescriptor mine(only_this_user());
  SECURITY_ATTRIBUTES security = mine.attributes();
  return made(CreateNamedPipeW(name.c_str(),
                               PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | (first ? FILE_FLAG_FIRST_PIPE_INSTANCE : 0),
                               PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | PIPE_REJECT_REMOTE_CLIENTS,
                               PIPE_UNLIMITED_INSTANCES, kQueueBytes, kQueueBytes, 0, &security),
              "CreateNamedPipe", "make a channel");
}

PipePeer peer_of(const OwnedHandle& pipe, bool server) {
  ULONG number = 0;
  (server ? GetNamedPipeClientProcessId : GetNamedPipeServerProcessId)(raw(pipe), &number);
  PipePeer peer{.process = {}, .identity = {.process = number, .same_user = false}};
  HANDLE opened = OpenProcess(PROCESS_DUP_HANDLE | PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE, number);
  const DWORD error = GetLastError();
  OwnedHandle process(opened == nullptr ? kNoHandle : native(opened));
  if (!both_ends_are_there(pipe)) {  // it has ended, and was of this user: nobody else can connect
    peer.identity.same_user = server;
  } else if (process) {
    peer.identity.same_user = user_of(raw(process)) == user_of(GetCurrentProcess());
    peer.process = std::move(process);
  } else if (error != ERROR_ACCESS_DENIED) {
    throw OsError("OpenProcess", static_cast<int>(error), "find out who is at the other end of a channel");
  }
  return peer;
}

}  // namespace remotemedia::platform

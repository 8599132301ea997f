// SPDX-License-Identifier: Apache-2.0

#include <windows.h>

#include <array>
#include <system_error>
#include <utility>

#include "platform/conformance/peer_process.h"

namespace remotemedia::testing {
namespace {

constexpr UINT kKilled = static_cast<UINT>(-1);

HANDLE handle_of(std::intptr_t process) { return reinterpret_cast<HANDLE>(process); }

/// As the C runtime takes a command line apart: a backslash is itself unless it
/// stands before a quote.
std::string quoted(const std::string &word) {
  std::string text = "\"";
  std::size_t backslashes = 0;
  for (const char one : word) {
    if (one == '"') text.append(backslashes + 1, '\\');
    backslashes = one == '\\' ? backslashes + 1 : 0;
    text += one;
  }
  return text.append(backslashes, '\\') + '"';
}

}  // namespace

PeerProcess::PeerProcess(const std::string &role, const std::vector<std::string> &arguments) {
  std::array<char, 4096> program{};
  GetModuleFileNameA(nullptr, program.data(), static_cast<DWORD>(program.size()));
  std::string command = "peer --role " + quoted(role);
  for (const std::string &argument : arguments) command += " " + quoted(argument);
  STARTUPINFOA start{};
  start.cb = sizeof start;
  PROCESS_INFORMATION made{};
  const auto created = [&] {
    return CreateProcessA(program.data(), command.data(), nullptr, nullptr, FALSE, 0, nullptr, nullptr, &start,
                          &made) != FALSE;
  };
  // A program that a busy Wine failed to start is asked for again.
  constexpr int kTries = 5;
  int tries = 1;
  bool started = created();
  while (!started && GetLastError() == ERROR_INTERNAL_ERROR && tries++ < kTries) started = created();
  if (!started) {
    throw std::system_error(static_cast<int>(GetLastError()), std::system_category(), "CreateProcess");
  }
  CloseHandle(made.hThread);
  id_ = made.dwProcessId;
  process_ = reinterpret_cast<std::intptr_t>(made.hProcess);
}

void PeerProcess::kill() noexcept {
  if (process_ != 0) TerminateProcess(handle_of(process_), kKilled);
}

int PeerProcess::wait() noexcept {
  if (process_ == 0) return exit_code_;
  const HANDLE process = handle_of(std::exchange(process_, 0));
  DWORD exit_code = kKilled;
  WaitForSingleObject(process, INFINITE);
  GetExitCodeProcess(process, &exit_code);
  CloseHandle(process);
  exit_code_ = static_cast<int>(exit_code);
  return exit_code_;
}

}  // namespace remotemedia::testing

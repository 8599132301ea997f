// SPDX-License-Identifier: Apache-2.0

#include <fcntl.h>
#include <io.h>
#include <windows.h>

#include <array>
#include <string_view>
#include <system_error>
#include <utility>

#include "testing/child_process.h"

namespace remotemedia::testing {
namespace {

constexpr UINT kKilled = static_cast<UINT>(-1);

HANDLE handle_of(std::intptr_t process) { return reinterpret_cast<HANDLE>(process); }

[[noreturn]] void fail(const char* call) {
  throw std::system_error(static_cast<int>(GetLastError()), std::system_category(), call);
}

/// As the C runtime takes a command line apart: a backslash is itself unless it stands before a quote.
std::string quoted(const std::string& word) {
  std::string text = "\"";
  std::size_t backslashes = 0;
  for (const char one : word) {
    if (one == '"') text.append(backslashes + 1, '\\');
    backslashes = one == '\\' ? backslashes + 1 : 0;
    text += one;
  }
  return text.append(backslashes, '\\') + '"';
}

/// A block of settings, each with a zero at its end, and one more.
std::string environment_with(const std::vector<std::string>& changes) {
  std::string block;
  for (const std::string& change : changes) block += change + '\0';
  char* const settings = GetEnvironmentStringsA();
  for (const char* at = settings; *at != '\0'; at += std::string_view(at).size() + 1) {
    if (!is_changed(at, changes)) block += std::string(at) + '\0';
  }
  FreeEnvironmentStringsA(settings);
  return block + '\0';
}

/// One end of each is a child's to inherit.
struct Pipe {
  explicit Pipe(bool child_reads) {
    SECURITY_ATTRIBUTES inherited{.nLength = sizeof inherited, .lpSecurityDescriptor = nullptr, .bInheritHandle = TRUE};
    if (CreatePipe(&reads, &writes, &inherited, 0) == FALSE) fail("CreatePipe");
    SetHandleInformation(child_reads ? writes : reads, HANDLE_FLAG_INHERIT, 0);
  }

  HANDLE reads = nullptr;
  HANDLE writes = nullptr;
};

std::FILE* file_of(HANDLE handle, int flags, const char* mode) {
  return _fdopen(_open_osfhandle(reinterpret_cast<std::intptr_t>(handle), flags | _O_TEXT), mode);
}

PROCESS_INFORMATION started(const std::vector<std::string>& words, const std::vector<std::string>& changes,
                            STARTUPINFOA& start) {
  std::string command;
  for (const std::string& word : words) command += quoted(word) + " ";
  std::string environment = environment_with(changes);
  const BOOL inherits = (start.dwFlags & STARTF_USESTDHANDLES) != 0 ? TRUE : FALSE;
  PROCESS_INFORMATION made{};
  // A program that a busy Wine failed to start is asked for again.
  constexpr int kTries = 5;
  for (int tries = 1; CreateProcessA(words[0].c_str(), command.data(), nullptr, nullptr, inherits, 0,
                                     environment.data(), nullptr, &start, &made) == FALSE;
       ++tries) {
    if (GetLastError() != ERROR_INTERNAL_ERROR || tries == kTries) fail("CreateProcess");
  }
  CloseHandle(made.hThread);
  return made;
}

/// NtSuspendProcess and NtResumeProcess, which the headers do not declare.
void ask_of_all_threads(const char* what, std::intptr_t process) {
  using Call = LONG(NTAPI*)(HANDLE);
  const auto call = reinterpret_cast<Call>(reinterpret_cast<void*>(GetProcAddress(GetModuleHandleA("ntdll"), what)));
  if (call == nullptr || call(handle_of(process)) < 0) fail(what);
}

}  // namespace

std::string this_program() {
  std::array<char, 4096> program{};
  GetModuleFileNameA(nullptr, program.data(), static_cast<DWORD>(program.size()));
  return program.data();
}

ChildProcess::ChildProcess(std::vector<std::string> words, const std::vector<std::string>& changes, Pipes* pipes) {
  STARTUPINFOA start{};
  start.cb = sizeof start;
  PROCESS_INFORMATION made{};
  if (pipes == nullptr) {
    made = started(words, changes, start);
  } else {
    const Pipe in(true);
    const Pipe out(false);
    *pipes = {.to = file_of(in.writes, _O_WRONLY, "w"), .from = file_of(out.reads, _O_RDONLY, "r")};
    start.dwFlags = STARTF_USESTDHANDLES;
    start.hStdInput = in.reads;
    start.hStdOutput = out.writes;
    start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    made = started(words, changes, start);
    CloseHandle(in.reads);
    CloseHandle(out.writes);
  }
  id_ = made.dwProcessId;
  process_ = reinterpret_cast<std::intptr_t>(made.hProcess);
}

void ChildProcess::kill() noexcept {
  if (process_ != 0) TerminateProcess(handle_of(process_), kKilled);
}

int ChildProcess::wait() noexcept {
  if (process_ == 0) return exit_code_;
  const HANDLE process = handle_of(std::exchange(process_, 0));
  DWORD exit_code = kKilled;
  WaitForSingleObject(process, INFINITE);
  GetExitCodeProcess(process, &exit_code);
  CloseHandle(process);
  exit_code_ = static_cast<int>(exit_code);
  return exit_code_;
}

bool ChildProcess::has_ended() noexcept {
  return process_ == 0 || WaitForSingleObject(handle_of(process_), 0) == WAIT_OBJECT_0;
}

void ChildProcess::stop() { ask_of_all_threads("NtSuspendProcess", process_); }

void ChildProcess::go_on() { ask_of_all_threads("NtResumeProcess", process_); }

}  // namespace remotemedia::testing

// SPDX-License-Identifier: Apache-2.0

#include <fcntl.h>
#include <signal.h>  // NOLINT: kill
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "testing/child_process.h"

extern char** environ;  // NOLINT: POSIX's

namespace remotemedia::testing {
namespace {

pid_t started(std::vector<std::string> words, const std::vector<std::string>& changes,
              const posix_spawn_file_actions_t* actions) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::vector<std::string> settings = changes;
  for (char** setting = environ; *setting != nullptr; ++setting) {
    if (!is_changed(*setting, changes)) settings.emplace_back(*setting);
  }
  std::vector<char*> environment;
  for (std::string& setting : settings) environment.push_back(setting.data());
  environment.push_back(nullptr);
  pid_t process = 0;
  const int error = posix_spawn(&process, arguments[0], actions, nullptr, arguments.data(), environment.data());
  if (error != 0) throw std::system_error(error, std::generic_category(), "posix_spawn " + words[0]);
  return process;
}

int status_of(std::intptr_t process, int options) noexcept {
  int status = 0;
  while (waitpid(static_cast<pid_t>(process), &status, options) == -1 && errno == EINTR) {
  }
  return status;
}

}  // namespace

std::string this_program() { return "/proc/self/exe"; }

ChildProcess::ChildProcess(std::vector<std::string> words, const std::vector<std::string>& changes, Pipes* pipes) {
  if (pipes == nullptr) {
    process_ = started(std::move(words), changes, nullptr);
  } else {
    std::array<int, 2> in{-1, -1};
    std::array<int, 2> out{-1, -1};
    if (pipe2(in.data(), O_CLOEXEC) != 0 || pipe2(out.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    *pipes = {.to = fdopen(in[1], "w"), .from = fdopen(out[0], "r")};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    signal(SIGPIPE, SIG_IGN);  // what is said to the dead is lost, and no more
    process_ = started(std::move(words), changes, &actions);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
  }
  id_ = process_;
}

void ChildProcess::kill() noexcept {
  if (process_ != 0) ::kill(static_cast<pid_t>(process_), SIGKILL);
}

int ChildProcess::wait() noexcept {
  if (process_ == 0) return exit_code_;
  const int status = status_of(std::exchange(process_, 0), 0);
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return exit_code_;
}

bool ChildProcess::has_ended() noexcept {
  siginfo_t ended{};  // looked at only: wait() still has it
  if (process_ != 0) waitid(P_PID, static_cast<id_t>(process_), &ended, WEXITED | WNOHANG | WNOWAIT);
  return process_ == 0 || ended.si_pid != 0;
}

void ChildProcess::stop() {
  ::kill(static_cast<pid_t>(process_), SIGSTOP);
  if (!WIFSTOPPED(status_of(process_, WUNTRACED))) throw std::runtime_error("a process ended instead of stopping");
}

void ChildProcess::go_on() { ::kill(static_cast<pid_t>(process_), SIGCONT); }

}  // namespace remotemedia::testing

// SPDX-License-Identifier: Apache-2.0

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <system_error>
#include <utility>

#include "platform/conformance/peer_process.h"

namespace remotemedia::testing {

PeerProcess::PeerProcess(const std::string& role, const std::vector<std::string>& arguments) {
  std::vector<std::string> words{"peer", "--role", role};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  const int error = posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, argv.data(), environ);
  if (error != 0) throw std::system_error(error, std::generic_category(), "posix_spawn");
  id_ = child;
  process_ = child;
}

void PeerProcess::kill() noexcept {
  if (process_ != 0) ::kill(static_cast<pid_t>(process_), SIGKILL);
}

int PeerProcess::wait() noexcept {
  int status = 0;
  if (process_ != 0 && waitpid(static_cast<pid_t>(std::exchange(process_, 0)), &status, 0) != -1) {
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  return exit_code_;
}

}  // namespace remotemedia::testing

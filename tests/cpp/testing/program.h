// SPDX-License-Identifier: Apache-2.0
//
// Program: another process that a test talks to, line by line, and may kill at any moment.

#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

extern char** environ;  // NOLINT: POSIX's

namespace remotemedia::testing {

/// Threads:  one.
class Program {
 public:
  /// Runs `words` (the first is its path), with `changes` ("NAME=value") to the environment.
  explicit Program(std::vector<std::string> words, const std::vector<std::string>& changes = {}) {
    std::array<int, 2> in{-1, -1};
    std::array<int, 2> out{-1, -1};
    if (pipe2(in.data(), O_CLOEXEC) != 0 || pipe2(out.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
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
    std::signal(SIGPIPE, SIG_IGN);  // what is said to the dead is lost, and no more
    const int error = posix_spawn(&process_, arguments[0], &actions, nullptr, arguments.data(), environment.data());
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    to_ = fdopen(in[1], "w");
    from_ = fdopen(out[0], "r");
    if (error != 0) throw std::runtime_error("posix_spawn " + words[0]);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    if (process_ > 0) kill_9();
    if (to_ != nullptr) std::fclose(to_);
    std::fclose(from_);
  }

  pid_t process() const { return process_; }

  void tell(const std::string& line) {
    std::fputs((line + "\n").c_str(), to_);
    std::fflush(to_);
  }

  /// The next line that it says; "<gone>" if there is none.
  std::string hear() {
    std::string line;
    for (int c = std::fgetc(from_); c != '\n'; c = std::fgetc(from_)) {
      if (c == EOF) return "<gone>";
      line += static_cast<char>(c);
    }
    return line;
  }

  std::string ask(const std::string& line) {
    tell(line);
    return hear();
  }

  void kill_9() {
    kill(process_, SIGKILL);
    wait_for_end();
  }

  /// Returns once it really stands still.
  void stop() {
    kill(process_, SIGSTOP);
    int status = 0;
    while (waitpid(process_, &status, WUNTRACED) == -1 && errno == EINTR) {
    }
    EXPECT_TRUE(WIFSTOPPED(status));
  }

  void go_on() { kill(process_, SIGCONT); }

  /// Closes what it reads from, and returns its exit status; -1 if it was killed.
  int end() {
    std::fclose(std::exchange(to_, nullptr));
    return wait_for_end();
  }

 private:
  static bool is_changed(const std::string& setting, const std::vector<std::string>& changes) {
    for (const std::string& change : changes) {
      if (setting.starts_with(change.substr(0, change.find('=') + 1))) return true;
    }
    return false;
  }

  int wait_for_end() {
    int status = 0;
    while (waitpid(process_, &status, 0) == -1 && errno == EINTR) {
    }
    process_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  pid_t process_ = -1;
  std::FILE* to_ = nullptr;
  std::FILE* from_ = nullptr;
};

}  // namespace remotemedia::testing

// SPDX-License-Identifier: Apache-2.0
//
// Program: another process that a test talks to, line by line.

#pragma once

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "testing/child_process.h"

namespace remotemedia::testing {

/// Threads:  one.
class Program {
 public:
  /// Runs `words` (the first is its path), with `changes` ("NAME=value") to the environment.
  explicit Program(std::vector<std::string> words, const std::vector<std::string>& changes = {})
      : process_(std::move(words), changes, &pipes_) {}
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    kill_9();
    if (pipes_.to != nullptr) std::fclose(pipes_.to);
    std::fclose(pipes_.from);
  }

  void tell(const std::string& line) {
    std::fputs((line + "\n").c_str(), pipes_.to);
    std::fflush(pipes_.to);
  }

  /// The next line that it says; "<gone>" if there is none.
  std::string hear() {
    std::string line;
    for (int c = std::fgetc(pipes_.from); c != '\n'; c = std::fgetc(pipes_.from)) {
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
    process_.kill();
    process_.wait();
  }

  bool has_ended() noexcept { return process_.has_ended(); }
  void stop() { process_.stop(); }
  void go_on() { process_.go_on(); }

  /// Closes what it reads from, and returns its exit code; -1 if it was killed.
  int end() {
    std::fclose(std::exchange(pipes_.to, nullptr));
    return process_.wait();
  }

 private:
  Pipes pipes_;
  ChildProcess process_;
};

}  // namespace remotemedia::testing

// SPDX-License-Identifier: Apache-2.0

#include "platform/conformance/peer_process.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <exception>
#include <map>
#include <string_view>

namespace remotemedia::testing {
namespace {

std::map<std::string, Role>& roles() {
  static std::map<std::string, Role> all;
  return all;
}

std::vector<std::string> words_for(const std::string& role, const std::vector<std::string>& arguments) {
  std::vector<std::string> words{this_program(), "--role", role};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

}  // namespace

PeerRole::PeerRole(const std::string& name, Role role) { roles().emplace(name, role); }

std::optional<int> play_role(int argc, char** argv) {
  if (argc < 3 || std::string_view(argv[1]) != "--role") return std::nullopt;
  const auto role = roles().find(argv[2]);
  if (role == roles().end()) return 2;
  try {
    const int result = role->second(std::vector<std::string>(argv + 3, argv + argc));
    return ::testing::UnitTest::GetInstance()->Failed() ? 1 : result;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "role %s: %s\n", argv[2], error.what());
    return 3;
  }
}

PeerProcess::PeerProcess(const std::string& role, const std::vector<std::string>& arguments)
    : ChildProcess(words_for(role, arguments)) {}

}  // namespace remotemedia::testing

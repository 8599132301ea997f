// SPDX-License-Identifier: Apache-2.0

#include "platform/conformance/peer_process.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <exception>
#include <map>
#include <string_view>
#include <utility>

namespace remotemedia::testing {
namespace {

std::map<std::string, Role>& roles() {
  static std::map<std::string, Role> all;
  return all;
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

PeerProcess::PeerProcess(PeerProcess&& other) noexcept
    : id_(other.id_), process_(std::exchange(other.process_, 0)), exit_code_(other.exit_code_) {}

PeerProcess::~PeerProcess() {
  kill();
  wait();
}

}  // namespace remotemedia::testing

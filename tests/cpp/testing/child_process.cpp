// SPDX-License-Identifier: Apache-2.0

#include "testing/child_process.h"

#include <algorithm>
#include <utility>

namespace remotemedia::testing {

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : id_(other.id_), process_(std::exchange(other.process_, 0)), exit_code_(other.exit_code_) {}

ChildProcess::~ChildProcess() {
  kill();
  wait();
}

bool is_changed(const std::string& setting, const std::vector<std::string>& changes) {
  return std::ranges::any_of(changes, [&setting](const std::string& change) {
    return setting.starts_with(change.substr(0, change.find('=') + 1));
  });
}

}  // namespace remotemedia::testing

// SPDX-License-Identifier: Apache-2.0
//
// left_alone: for what a forked child inherits. Its threads are the parent's, so nobody may wait for them.

#pragma once

#include <memory>
#include <utility>
#include <vector>

namespace remotemedia::python {

/// Never destroyed. With the GIL.
inline void left_alone(std::shared_ptr<void> inherited) {
  static auto& kept = *new std::vector<std::shared_ptr<void>>;
  kept.push_back(std::move(inherited));
}

}  // namespace remotemedia::python

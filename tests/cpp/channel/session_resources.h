// SPDX-License-Identifier: Apache-2.0
//
// SessionResources: what this process holds for sessions, whichever they are: kinds of descriptors, and segments.
//
// Linux only.

#pragma once

#include <algorithm>
#include <chrono>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "platform/conformance/connected_peer.h"
#include "testing/held_resources.h"

namespace remotemedia::testing {

struct SessionResources {
  std::vector<std::string> all;

  static SessionResources now() {
    SessionResources resources;
    const HeldResources held = HeldResources::now();
    for (const std::string& one : held.descriptors) resources.all.push_back(one.substr(0, one.find(":[")));
    for (const std::string& one : held.mappings) {  // without those that are only reserved, for threads
      if (one.find('/') != std::string::npos) resources.all.push_back(one.substr(one.find(' ') + 1));
    }
    std::sort(resources.all.begin(), resources.all.end());
    return resources;
  }

  /// Once nothing has changed for a while: a worker makes memory in advance.
  static SessionResources settled() {
    SessionResources held = now();
    for (int same = 0; same < 20; ++same) {
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
      SessionResources next = now();
      if (next != held) same = 0;
      held = std::move(next);
    }
    return held;
  }

  /// Waits until these are what is held.
  bool come_back() const {
    return comes([this](const SessionResources& held) { return held == *this; });
  }

  /// Waits until nothing else is held, and perhaps not all of these: memory in advance may have been refused.
  bool are_the_most() const {
    return comes([this](const SessionResources& held) {
      return std::includes(all.begin(), all.end(), held.all.begin(), held.all.end());
    });
  }

  template <class Condition>
  static bool comes(Condition condition) {
    const TimePoint until = soon();
    while (!condition(now())) {
      if (monotonic_clock().now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }

  bool operator==(const SessionResources&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, const SessionResources& held) {
  for (const std::string& one : held.all) out << "\n  " << one;
  return out;
}

}  // namespace remotemedia::testing

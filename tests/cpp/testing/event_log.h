// SPDX-License-Identifier: Apache-2.0
//
// EventLog: what a registry's listener heard, and a way to wait for it.

#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "remotemedia/base/mutex.h"
#include "remotemedia/registry/model_info.h"
#include "remotemedia/registry/model_registry.h"

namespace remotemedia::testing {

/// Must outlive the registry that it listens to.
///
/// Threads:  any.
class EventLog {
 public:
  void listen_to(ModelRegistry& registry) {
    registry.subscribe([this](const RegistryEvent& event) { add(event); });
  }

  void add(const RegistryEvent& event) {
    MutexLock lock(mutex_);
    events_.push_back(event);
    added_.notify_all();
  }

  /// Returns once `kind` of `key` was heard `times` times.
  void wait_for(RegistryEvent::Kind kind, std::string_view key, std::size_t times = 1) {
    MutexLock lock(mutex_);
    while (count_locked(kind, key) < times) added_.wait(mutex_);
  }

  std::size_t count(RegistryEvent::Kind kind, std::string_view key) const {
    MutexLock lock(mutex_);
    return count_locked(kind, key);
  }

  std::vector<RegistryEvent> events() const {
    MutexLock lock(mutex_);
    return events_;
  }

  /// Each event as "loaded a".
  std::vector<std::string> texts() const {
    MutexLock lock(mutex_);
    std::vector<std::string> texts;
    for (const RegistryEvent& event : events_) texts.push_back(std::string(to_string(event.kind)) + " " + event.key);
    return texts;
  }

 private:
  std::size_t count_locked(RegistryEvent::Kind kind, std::string_view key) const REMOTEMEDIA_REQUIRES(mutex_) {
    return static_cast<std::size_t>(std::ranges::count_if(
        events_, [&](const RegistryEvent& event) { return event.kind == kind && event.key == key; }));
  }

  mutable Mutex mutex_;
  CondVar added_;
  std::vector<RegistryEvent> events_ REMOTEMEDIA_GUARDED_BY(mutex_);
};

}  // namespace remotemedia::testing

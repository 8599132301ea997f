// SPDX-License-Identifier: Apache-2.0
//
// WaitGraph: which load waits for which, over all registries of the process, so that loaders that would
// wait for each other in a ring get an error instead.

#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "remotemedia/base/export.h"
#include "remotemedia/base/mutex.h"

namespace remotemedia::detail {

/// A load as the graph sees it.
///
/// Threads:  `waits_for` is the graph's, under its mutex.
struct WaitNode {
  explicit WaitNode(std::string name) : key(std::move(name)) {}

  const std::string key;
  std::atomic<std::uint64_t> loop_thread{0};  ///< Of a coroutine loader: the thread that has to go on for it, else 0.
  std::vector<const WaitNode*> waits_for;
};

class REMOTEMEDIA_API WaitGraph {
 public:
  static WaitGraph& process();

  /// Notes that `waiter` waits for `target`.
  ///
  /// Errors:  load_failed, naming the ring, if `target` waits for `waiter` already or is it; nothing is noted.
  void add(WaitNode& waiter, const WaitNode& target) REMOTEMEDIA_EXCLUDES(mutex_);
  void remove(WaitNode& waiter, const WaitNode& target) noexcept REMOTEMEDIA_EXCLUDES(mutex_);

  /// Whether `node`, or something that it waits for, cannot go on while this thread waits.
  bool needs_thread(const WaitNode& node, std::uint64_t thread) REMOTEMEDIA_EXCLUDES(mutex_);

  Mutex& mutex() REMOTEMEDIA_THREAD_ANNOTATION(lock_returned(mutex_)) { return mutex_; }

 private:
  Mutex mutex_;
};

}  // namespace remotemedia::detail

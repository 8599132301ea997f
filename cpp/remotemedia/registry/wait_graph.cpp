// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/wait_graph.h"

#include <algorithm>
#include <set>

#include "remotemedia/base/error.h"

namespace remotemedia::detail {
namespace {

// The loads on a way from `from` to one that is wanted, ends included; empty if there is none but through those `seen`.
template <class Wanted>
std::vector<const WaitNode*> find_path(const WaitNode& from, const Wanted& wanted, std::set<const WaitNode*>& seen) {
  if (wanted(from)) return {&from};
  if (!seen.insert(&from).second) return {};
  for (const WaitNode* next : from.waits_for) {
    std::vector<const WaitNode*> path = find_path(*next, wanted, seen);
    if (path.empty()) continue;
    path.insert(path.begin(), &from);
    return path;
  }
  return {};
}

}  // namespace

WaitGraph& WaitGraph::process() {
  static WaitGraph* const graph = new WaitGraph;
  return *graph;
}

void WaitGraph::add(WaitNode& waiter, const WaitNode& target) {
  MutexLock lock(mutex_);
  std::set<const WaitNode*> seen;
  const std::vector<const WaitNode*> ring = find_path(
      target, [&](const WaitNode& node) { return &node == &waiter; }, seen);
  if (!ring.empty()) {
    std::string way = "'" + waiter.key + "'";
    for (const WaitNode* node : ring) way += " -> '" + node->key + "'";
    throw Error(ErrorCode::load_failed, "loading '" + waiter.key + "' asks for '" + target.key +
                                            "' and would wait for itself: " + way +
                                            ". A loader must not need its own key, directly or by way of others");
  }
  waiter.waits_for.push_back(&target);
}

void WaitGraph::remove(WaitNode& waiter, const WaitNode& target) noexcept {
  MutexLock lock(mutex_);
  const auto found = std::ranges::find(waiter.waits_for, &target);
  if (found != waiter.waits_for.end()) waiter.waits_for.erase(found);
}

bool WaitGraph::needs_thread(const WaitNode& node, std::uint64_t thread) {
  MutexLock lock(mutex_);
  std::set<const WaitNode*> seen;
  return !find_path(
              node, [&](const WaitNode& other) { return other.loop_thread.load() == thread; }, seen)
              .empty();
}

}  // namespace remotemedia::detail

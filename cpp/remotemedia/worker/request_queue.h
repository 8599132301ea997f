// SPDX-License-Identifier: Apache-2.0
//
// RequestQueue: requests that wait, and who runs next with whom. It knows no thread and no clock.
//
// Higher priority first, then the order of acceptance; of one session only the oldest, and only when none of it runs.

#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"
#include "remotemedia/base/recycled_memory.h"
#include "remotemedia/worker/request.h"

namespace remotemedia::detail {

/// What may run now.
struct BatchRules {
  std::int64_t max_rows = 0;  ///< 0: each request alone.
  Duration delay{0};          ///< How long a batch that is not full waits.
  bool streams_allowed = true;
};

/// Threads:  one at a time.
class REMOTEMEDIA_API RequestQueue {
 public:
  void push(RequestPtr request);

  /// The next one and those that run with it. Empty when nothing may run yet: at `ready_at` something may, if that is
  /// not TimePoint::max().
  struct Batch {
    std::vector<RequestPtr> requests;
    std::int64_t rows = 0;
    TimePoint ready_at = TimePoint::max();
  };

  /// Takes it out. Its sessions are taken until end_turn(). `memory` is of an earlier one.
  Batch take(const BatchRules& rules, TimePoint now, std::vector<RequestPtr> memory = {});

  /// The request of the session that take() gave has ended.
  void end_turn(const Request& request);

  /// Takes out one that will not run; false if it is not there.
  bool remove(const Request& request);

  std::size_t size() const noexcept { return size_; }

 private:
  using Line = std::deque<RequestPtr, RecyclingAllocator<RequestPtr>>;  // by number, which is the order of acceptance

  /// Of a session.
  struct Turns {
    std::deque<std::uint64_t> waiting;  // numbers, oldest first
    bool running = false;
  };

  bool may_run(const Request& request, const BatchRules& rules) const;
  RequestPtr leave(const Request& request);
  void leave_session(const Request& request, bool to_run);

  std::map<int, Line, std::greater<>> lines_;  // by priority; none is empty but that of 0
  std::size_t size_ = 0;
  std::map<SessionKey, Turns> sessions_;
};

}  // namespace remotemedia::detail

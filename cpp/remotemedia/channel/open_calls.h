// SPDX-License-Identifier: Apache-2.0
//
// OpenCalls: the calls of a session that are not answered yet, by the client's numbers for them.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "remotemedia/base/export.h"
#include "remotemedia/base/recycled_memory.h"
#include "remotemedia/worker/request.h"

namespace remotemedia::detail {

/// A call leaves when it is over: some time later, by what is asked next. Its answer needs no lock for that.
///
/// Threads:  one at a time; calls end on any.
/// Cost:     one or two comparisons, where numbers rise and calls end in about their order.
class REMOTEMEDIA_API OpenCalls {
 public:
  /// Null where there is none, or it is over.
  RequestPtr find(std::uint64_t number) const;

  /// Where one goes that find() does not know. Left empty, it is over.
  ///
  /// Lifetime: until the next.
  RequestPtr& place(std::uint64_t number);

  /// All that are not over.
  std::vector<RequestPtr> clear();

 private:
  using Numbered = std::pair<std::uint64_t, RequestPtr>;
  using Calls = std::deque<Numbered, RecyclingAllocator<Numbered>>;

  void forget_ended();
  Calls::const_iterator first_from(std::uint64_t number) const;

  Calls calls_;  // by rising number
  std::size_t forgets_at_ = 0;
};

}  // namespace remotemedia::detail

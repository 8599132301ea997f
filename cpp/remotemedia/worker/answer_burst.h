// SPDX-License-Identifier: Apache-2.0
//
// AnswerBurst: the answers that a thread gives one after the other, for whoever does something once for all of them.

#pragma once

#include <functional>
#include <vector>

#include "remotemedia/base/export.h"

namespace remotemedia::detail {

/// One of this thread, as long as it is in scope. A burst within another is part of it.
class REMOTEMEDIA_API AnswerBurst {
 public:
  AnswerBurst() noexcept;
  AnswerBurst(const AnswerBurst&) = delete;
  AnswerBurst& operator=(const AnswerBurst&) = delete;

  /// As end().
  ~AnswerBurst();

  /// Calls what waits for the end. The next answer begins another one.
  void end() noexcept;

  /// Calls `action` when this thread's burst ends: now, where there is none. It must not throw.
  static void at_end(std::function<void()> action);

 private:
  bool is_outermost_ = false;
  std::vector<std::function<void()>> actions_;
};

}  // namespace remotemedia::detail

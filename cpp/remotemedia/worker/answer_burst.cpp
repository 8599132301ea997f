// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/answer_burst.h"

#include <utility>

namespace remotemedia::detail {
namespace {

thread_local AnswerBurst* burst_of_this_thread = nullptr;

}  // namespace

AnswerBurst::AnswerBurst() noexcept : is_outermost_(burst_of_this_thread == nullptr) {
  if (is_outermost_) burst_of_this_thread = this;
}

AnswerBurst::~AnswerBurst() {
  end();
  if (is_outermost_) burst_of_this_thread = nullptr;
}

void AnswerBurst::end() noexcept {
  while (!actions_.empty()) {
    for (const std::function<void()>& action : std::exchange(actions_, {})) action();
  }
}

void AnswerBurst::at_end(std::function<void()> action) {
  if (burst_of_this_thread == nullptr) {
    action();
  } else {
    burst_of_this_thread->actions_.push_back(std::move(action));
  }
}

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0

#include <exception>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/worker/pending_call.h"

namespace remotemedia {
namespace {

template <class State>
State& of(const std::shared_ptr<State>& state) {
  if (state == nullptr) throw Error(ErrorCode::invalid_argument, "this future has no call");
  return *state;
}

}  // namespace

InferenceFuture::InferenceFuture(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

bool InferenceFuture::ready() const { return of(state_).is_inherited() || state_->is_readable(); }

bool InferenceFuture::wait_until(TimePoint deadline) const { return of(state_).wait_until_readable(deadline); }

TensorMap InferenceFuture::get() {
  std::optional<detail::Answer> answer = of(state_).next();
  if (!answer) throw Error(ErrorCode::invalid_argument, "the outputs of this call were taken already");
  if (answer->error != nullptr) std::rethrow_exception(answer->error);
  return std::move(answer->outputs);
}

void InferenceFuture::when_ready(std::function<void()> ready) {
  if (of(state_).is_inherited()) return ready();
  state_->when_readable(std::move(ready));
}

void InferenceFuture::cancel() { of(state_).cancel(); }

}  // namespace remotemedia

// SPDX-License-Identifier: Apache-2.0

#include <exception>
#include <utility>

#include "remotemedia/worker/pending_call.h"

namespace remotemedia {

InferenceStream::InferenceStream(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

InferenceStream::InferenceStream(InferenceStream&&) noexcept = default;

InferenceStream& InferenceStream::operator=(InferenceStream&& other) noexcept {
  if (this == &other) return *this;
  if (state_ != nullptr) state_->abandon();
  state_ = std::move(other.state_);
  return *this;
}

InferenceStream::~InferenceStream() {
  if (state_ != nullptr) state_->abandon();
}

std::optional<TensorMap> InferenceStream::next() {
  std::optional<detail::Answer> answer = state_->next();
  if (!answer) return std::nullopt;
  if (answer->error != nullptr) std::rethrow_exception(answer->error);
  if (answer->last) return std::nullopt;
  return std::move(answer->outputs);
}

bool InferenceStream::wait_until(TimePoint deadline) { return state_->wait_until_readable(deadline); }

void InferenceStream::when_readable(std::function<void()> readable) { state_->when_readable(std::move(readable)); }

void InferenceStream::cancel() { state_->cancel(); }

}  // namespace remotemedia

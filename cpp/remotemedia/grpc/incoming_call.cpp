// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/incoming_call.h"

#include <utility>

namespace remotemedia::detail {
namespace {

constexpr int kBegun = 1;
constexpr int kCancelled = 2;

}  // namespace

void IncomingCall::begin(std::shared_ptr<CallHandler> handler) noexcept {
  keep();
  handler_ = std::move(handler);
  handler_->begin();
  if (steps_.fetch_or(kBegun) == kCancelled) handler_->cancelled();
  let_go();
}

void IncomingCall::told_over(bool /*ok*/) noexcept {
  if (context_.IsCancelled() && steps_.fetch_or(kCancelled) == kBegun) handler_->cancelled();
  let_go();
}

void IncomingCall::let_go() noexcept {
  if (--kept_by_ == 0) delete this;
}

void StreamingCall::was_read(bool ok) noexcept {
  handler().read_done(ok);
  let_go();
}

void StreamingCall::was_written(bool ok) noexcept {
  handler().write_done(ok);
  let_go();
}

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/repeats.h"

#include <algorithm>

#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia {

Repeats::Repeats(const InferOptions& options, unsigned most)
    : options_(options), tries_left_(options.idempotent ? most : 0) {
  if (tries_left_ > 0 && options.timeout) deadline_ = later(monotonic_clock().now(), *options.timeout);
}

bool Repeats::again_after(const Error& error) {
  if (tries_left_ == 0 || error.code() != ErrorCode::worker_unavailable) return false;
  --tries_left_;
  if (!left_of_them_) left_of_them_ = options_;
  if (options_.timeout) left_of_them_->timeout = std::max(Duration{0}, deadline_ - monotonic_clock().now());
  return true;
}

}  // namespace remotemedia

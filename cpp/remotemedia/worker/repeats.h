// SPDX-License-Identifier: Apache-2.0
//
// Repeats: makes a call anew whose worker died under it, where that does no harm.

#pragma once

#include <optional>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/error.h"
#include "remotemedia/base/export.h"
#include "remotemedia/worker/model_worker_client.h"

namespace remotemedia {

/// For whoever waits for a call's answer:
///
///     for (Repeats repeats(options, client.max_retries());;) {
///       InferenceFuture call = client.infer_waiting(inputs, repeats.options());
///       try {
///         return call.get();
///       } catch (const Error& error) {
///         if (!repeats.again_after(error)) throw;
///       }
///     }
///
/// Lifetime:  shorter than that of `options`.
class REMOTEMEDIA_API Repeats {
 public:
  Repeats(const InferOptions& options, unsigned most);

  /// Of the next try: the timeout is what is left of it.
  const InferOptions& options() const noexcept { return left_of_them_ ? *left_of_them_ : options_; }

  /// What a call that was under way has ended with. True for worker_unavailable, so often as it may be.
  bool again_after(const Error& error);

 private:
  const InferOptions& options_;
  std::optional<InferOptions> left_of_them_;  ///< Once there is another try.
  TimePoint deadline_ = TimePoint::max();
  unsigned tries_left_;
};

}  // namespace remotemedia

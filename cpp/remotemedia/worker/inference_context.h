// SPDX-License-Identifier: Apache-2.0
//
// InferenceContext: who asked for a batch, and where its answers should lie.

#pragma once

#include <any>
#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "remotemedia/base/export.h"
#include "remotemedia/tensor/tensor_buffer.h"
#include "remotemedia/worker/parameters.h"
#include "remotemedia/worker/trace_context.h"

namespace remotemedia {

namespace detail {
class WorkerCore;
}

/// One caller's part of a batch.
///
/// Lifetime: while the model's call lasts, or its stream.
struct REMOTEMEDIA_API RequestInfo {
  std::int64_t first_row = 0;  ///< Of the batch dimension.
  std::int64_t rows = 1;
  std::uint64_t request_id = 0;             ///< Unique in this worker.
  const std::string* session_id = nullptr;  ///< None without a session.
  const Parameters* parameters = nullptr;
  const TraceContext* trace = nullptr;  ///< None where the caller sent none.

  /// What open_session gave. Assign to it to keep the new state; a call that fails leaves the session's as it was.
  std::any state;

  /// Whether nobody waits for the answer any more.
  bool cancelled() const noexcept { return over != nullptr && over->load(std::memory_order_relaxed); }

  const std::atomic<bool>* over = nullptr;
};

/// Threads:  the model's.
class REMOTEMEDIA_API InferenceContext {
 public:
  using Allocate = std::function<TensorBuffer(const Dims&, DataType)>;

  /// allocate: empty for memory of this process.
  explicit InferenceContext(std::vector<RequestInfo> requests, Allocate allocate = {});
  InferenceContext(const InferenceContext&) = delete;
  InferenceContext& operator=(const InferenceContext&) = delete;
  ~InferenceContext() = default;

  std::span<RequestInfo> requests() noexcept { return requests_; }

  /// Whether all requests of the batch are: stop when you can. Not without any.
  bool cancelled() const noexcept;

  /// Memory that the caller reads: given back as an output it is not copied.
  ///
  /// Errors:  as TensorBuffer::allocate.
  TensorBuffer allocate(const Dims& shape, DataType dtype);

 private:
  friend class detail::WorkerCore;

  std::vector<RequestInfo> requests_;
  Allocate allocate_;
};

}  // namespace remotemedia

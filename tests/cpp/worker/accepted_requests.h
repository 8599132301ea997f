// SPDX-License-Identifier: Apache-2.0
//
// AcceptedRequests: requests as a worker makes them of calls, numbered in their order.

#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "remotemedia/worker/request.h"

namespace remotemedia::testing {

/// A client with memory of this process.
class LocalCaller final : public detail::Caller {
 public:
  using Caller::Caller;
  TensorBuffer allocate(const Dims& shape, DataType dtype) override { return TensorBuffer::allocate(shape, dtype); }
};

/// Threads:  one at a time.
class AcceptedRequests {
 public:
  detail::RequestPtr accept(detail::Call call, std::int64_t rows = 1, TimePoint now = {}, std::uint64_t client_id = 1) {
    return std::make_shared<detail::Request>(++last_id_, std::make_shared<LocalCaller>(client_id), std::move(call),
                                             rows, now);
  }

 private:
  std::uint64_t last_id_ = 0;
};

}  // namespace remotemedia::testing

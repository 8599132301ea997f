// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/inference_context.h"

#include <algorithm>
#include <utility>

namespace remotemedia {

InferenceContext::InferenceContext(std::vector<RequestInfo> requests, Allocate allocate)
    : requests_(std::move(requests)), allocate_(std::move(allocate)) {}

bool InferenceContext::cancelled() const noexcept {
  return !requests_.empty() &&
         std::ranges::all_of(requests_, [](const RequestInfo& request) { return request.cancelled(); });
}

TensorBuffer InferenceContext::allocate(const Dims& shape, DataType dtype) {
  return allocate_ ? allocate_(shape, dtype) : TensorBuffer::allocate(shape, dtype);
}

}  // namespace remotemedia

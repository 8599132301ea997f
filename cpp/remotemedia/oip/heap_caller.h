// SPDX-License-Identifier: Apache-2.0
//
// HeapCaller: a client that shares no memory with the worker.

#pragma once

#include <string_view>

#include "remotemedia/tensor/tensor_buffer.h"
#include "remotemedia/worker/request.h"

namespace remotemedia::detail {

class HeapCaller final : public Caller {
 public:
  explicit HeapCaller(std::string_view transport, const void* place = nullptr)
      : Caller(new_client_id(), transport, place) {}
  TensorBuffer allocate(const Dims& shape, DataType dtype) override { return TensorBuffer::allocate(shape, dtype); }
};

}  // namespace remotemedia::detail

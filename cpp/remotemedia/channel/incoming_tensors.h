// SPDX-License-Identifier: Apache-2.0
//
// IncomingTensors: the tensors of one call or answer that came as a message, until the last of their bytes is there.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "remotemedia/base/export.h"
#include "remotemedia/channel/call_messages.h"
#include "remotemedia/tensor/tensor_buffer.h"
#include "remotemedia/tensor/tensor_descriptor.h"
#include "remotemedia/worker/model_signature.h"
#include "remotemedia/worker/tensor_map.h"

namespace remotemedia::detail {

/// Threads:  one.
class IncomingTensors {
 public:
  /// Gives a row of so many bytes, uint8.
  using Allocate = std::function<TensorBuffer(std::size_t bytes)>;

  /// `of_records`: the tensors of records that came before this message, oldest first; those that it refers to are
  /// taken from there. For what comes in chunks `allocate` is called, for `most_bytes` at most.
  ///
  /// Errors:  protocol_error where a record is missing or of another tensor; quota_exceeded; those of `allocate`.
  IncomingTensors(std::span<const MessageTensor> tensors, std::deque<TensorBuffer>& of_records, std::size_t most_bytes,
                  const Allocate& allocate);

  /// Errors:  protocol_error for a chunk that is not the next one.
  void add(const ChunkMessage& chunk);

  bool complete() const noexcept { return next_ == tensors_.size(); }

  /// By name; numbers are places in `specs`.
  ///
  /// Errors:  invalid_tensor for a number that is none.
  TensorMap take(std::span<const TensorSpec> specs);

 private:
  struct Incoming {
    TensorKey key;
    TensorBuffer tensor;
    bool in_chunks = false;
  };

  void skip_complete() noexcept;

  std::vector<Incoming> tensors_;
  std::size_t next_ = 0;    // the first that is not complete
  std::size_t offset_ = 0;  // bytes of it that are there
};

/// The tensors of a call or an answer that comes as records alone, until the last of them is there. `specs` are the
/// same each time.
///
/// Threads:  one.
class RecordTensors {
 public:
  /// Whether that was the last.
  ///
  /// Errors:  protocol_error for one that is not the next of the same request.
  bool add(const TensorDescriptor& descriptor, TensorBuffer&& tensor, std::span<const TensorSpec> specs);

  /// Of the first record.
  std::uint64_t request() const noexcept { return request_; }
  std::uint64_t deadline_ns() const noexcept { return deadline_ns_; }

  /// All of them, named in the order of `specs`. The next one begins another.
  ///
  /// Errors:  invalid_tensor unless there are as many; they are gone then too.
  TensorMap take(std::span<const TensorSpec> specs);

  void drop() noexcept {
    tensors_.clear();
    added_ = 0;
  }

 private:
  std::uint64_t request_ = 0;
  std::uint64_t deadline_ns_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t added_ = 0;
  TensorMap tensors_;  // none where their number is wrong
};

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0
//
// ClientProcess: what one process has of a worker. Limits are a process's and not a session's, of which it may open
// many.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia::detail {

/// Bytes of which so many may be in use at a time.
///
/// Threads:  any.
class Budget {
 public:
  explicit Budget(std::size_t most) noexcept : most_(most) {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  std::size_t most() const noexcept { return most_; }
  std::size_t left() const noexcept;

  /// All of them, or none and false.
  bool take(std::size_t bytes) noexcept;

  /// Also where that is more than there are.
  void take_anyway(std::size_t bytes) noexcept { used_.fetch_add(bytes, std::memory_order_relaxed); }
  void give_back(std::size_t bytes) noexcept { used_.fetch_sub(bytes, std::memory_order_relaxed); }

 private:
  const std::size_t most_;
  std::atomic<std::size_t> used_{0};
};

/// Threads:   any, but for `sessions`: one.
/// Lifetime:  until the last of its sessions has ended and the last of its bytes is given back.
struct ClientProcess {
  explicit ClientProcess(std::size_t quota) noexcept : inputs(quota), copied_inputs(quota), outputs(quota) {}

  std::size_t sessions = 0;
  Budget inputs;         ///< Segments that it writes to.
  Budget copied_inputs;  ///< Of calls that are not answered: what came in chunks.
  Budget outputs;        ///< In shared memory, that it has not given back.
};

/// Memory for an input of `process`, counted until its last hold goes.
///
/// Errors:  rejected, which names the limit; out_of_memory; invalid_tensor.
TensorBuffer allocate_copied_input(const std::shared_ptr<ClientProcess>& process, std::size_t bytes);

}  // namespace remotemedia::detail

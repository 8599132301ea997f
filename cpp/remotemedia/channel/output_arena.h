// SPDX-License-Identifier: Apache-2.0
//
// OutputArena: a worker's memory that one client reads: a session of the worker's allocator, whose segments the client
// is shown when something in them is for it.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "remotemedia/base/mutex.h"
#include "remotemedia/channel/client_process.h"
#include "remotemedia/channel/outbox.h"
#include "remotemedia/channel/tensor_sending.h"
#include "remotemedia/memory/segment_header.h"
#include "remotemedia/memory/shared_memory_allocator.h"
#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia::detail {

/// Threads:  any.
class OutputArena {
 public:
  /// `next_number` numbers the session's segments. Without `shared` all is heap, as where `process` has its share.
  ///
  /// Lifetime:  the allocator outlives it.
  OutputArena(SharedMemoryAllocator& allocator, std::string session, std::shared_ptr<ClientProcess> process,
              std::shared_ptr<Outbox> outbox, std::atomic<std::uint32_t>& next_number, bool shared);
  OutputArena(const OutputArena&) = delete;
  OutputArena& operator=(const OutputArena&) = delete;

  /// Memory that the client reads; heap where shared memory is refused.
  ///
  /// Errors:  invalid_tensor; out_of_memory.
  TensorBuffer allocate(const Dims& shape, DataType dtype);

  /// Puts it, or a copy of it, where the client sees it, if that can be.
  void place(OutgoingTensor& outgoing);

  /// The client is gone: what is allocated from here on is heap. Takes as long as memory takes to be unmapped.
  void close();

 private:
  std::optional<SegmentPlace> find(const TensorBuffer& tensor);

  SharedMemoryAllocator& allocator_;
  const std::string session_;
  const std::shared_ptr<ClientProcess> process_;
  const std::shared_ptr<Outbox> outbox_;
  std::atomic<std::uint32_t>& next_number_;
  std::atomic<bool> shared_;
  std::atomic<std::uint64_t> allocator_session_;

  Mutex mutex_;
  std::map<Uuid, std::uint32_t> granted_ REMOTEMEDIA_GUARDED_BY(mutex_);
};

}  // namespace remotemedia::detail

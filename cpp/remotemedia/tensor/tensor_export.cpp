// SPDX-License-Identifier: Apache-2.0

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/exports.h"
#include "remotemedia/memory/segment.h"
#include "remotemedia/tensor/tensor_buffer.h"
#include "remotemedia/tensor/tensor_note.h"

namespace remotemedia {
namespace {

constexpr Duration kLeaseOfTheLent = std::chrono::seconds{60};

}  // namespace

std::string TensorBuffer::to_shared_memory(SharedMemoryAllocator* allocator) const {
  check_can_be_shown();
  if (!can_be_shared_in_place()) {
    return exports_.keep_snapshot(
        snapshot(allocator != nullptr ? *allocator : SharedMemoryAllocator::process(), std::nullopt));
  }
  std::string id = exports_.in_place();
  if (!id.empty()) return id;
  return exports_.keep_in_place(share_in_place(std::nullopt));
}

void TensorBuffer::check_can_be_shown() const {
  check_host();
  if (dtype() != DataType::bytes) return;
  throw Error(ErrorCode::invalid_tensor,
              "a tensor of bytes has no id for other processes: send its elements, which to_numpy() and unpack_bytes() "
              "give");
}

std::string TensorBuffer::lend() const {
  check_can_be_shown();
  if (!can_be_shared_in_place()) return snapshot(SharedMemoryAllocator::process(), kLeaseOfTheLent).id();
  const Duration lease = block_.owner()->shared_location()->lease_ttl.value_or(kLeaseOfTheLent);
  std::string id = exports_.lend_in_place(lease);
  if (!id.empty()) return id;
  exports_.keep_in_place(share_in_place(Duration{0}));
  id = exports_.lend_in_place(lease);
  if (!id.empty()) return id;
  throw Error(ErrorCode::shared_memory_unavailable, "the tensor's exports were ended while it was lent: ask again");
}

/// A region's memory is shown under the region's own id, an imported block by its exporter, and nothing else lies in
/// shared memory; elements at an odd address have no place in a descriptor.
bool TensorBuffer::can_be_shared_in_place() const noexcept {
  const SharedLocation* const location = block_ ? block_.owner()->shared_location() : nullptr;
  if (location == nullptr || location->allocator == nullptr) return false;
  return static_cast<std::size_t>(data_ - block_.data()) % itemsize(dtype()) == 0;
}

Export TensorBuffer::share_in_place(std::optional<Duration> lease) const {
  const auto offset = static_cast<std::size_t>(data_ - block_.data());
  return share(block_, encode_note({layout_, offset}, block_.size()), lease);
}

Export TensorBuffer::snapshot(SharedMemoryAllocator& allocator, std::optional<Duration> lease) const {
  const TensorBuffer copied = copy(allocator);
  if (copied.storage() != StorageKind::shared_memory) {
    throw Error(ErrorCode::shared_memory_unavailable,
                "no shared memory for " + std::to_string(nbytes()) +
                    " bytes to export: the allocator fell back to the heap, its metrics say why");
  }
  return share(copied.block_, encode_note({copied.layout_, 0}, copied.block_.size()), lease);
}

TensorBuffer TensorBuffer::from_shared_memory(std::string_view id, Duration timeout) {
  ImportedBlock imported = import_block(id, timeout);
  const TensorPlace place = decode_note(imported.note, imported.block.size());
  return view_of(std::move(imported.block), place.offset, place.layout).as_read_only();
}

}  // namespace remotemedia

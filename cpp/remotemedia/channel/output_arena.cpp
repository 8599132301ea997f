// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/output_arena.h"

#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/channel/channel_messages.h"
#include "remotemedia/channel/inline_tensor.h"
#include "remotemedia/channel/message_limits.h"
#include "remotemedia/memory/segment.h"
#include "remotemedia/tensor/packed_bytes.h"

namespace remotemedia::detail {
namespace {

constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t kTooMany = std::numeric_limits<std::size_t>::max();
constexpr std::uint32_t kGeneration = 1;

/// kTooMany, of a shape that is none.
std::size_t bytes_of(const Dims& shape, DataType dtype) noexcept {
  std::size_t bytes = itemsize(dtype);
  for (const std::int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(bytes, static_cast<std::size_t>(extent), &bytes)) return kTooMany;
  }
  return bytes;
}

const SharedLocation* location_of(const TensorBuffer& tensor) noexcept {
  const BlockOwner* const owner = tensor.block().owner();
  return owner != nullptr ? owner->shared_location() : nullptr;
}

}  // namespace

OutputArena::OutputArena(SharedMemoryAllocator& allocator, std::string session, std::shared_ptr<ClientProcess> process,
                         std::shared_ptr<Outbox> outbox, std::atomic<std::uint32_t>& next_number, bool shared)
    : allocator_(allocator),
      session_(std::move(session)),
      process_(std::move(process)),
      outbox_(std::move(outbox)),
      next_number_(next_number),
      shared_(shared),
      allocator_session_(kNone) {}

TensorBuffer OutputArena::allocate(const Dims& shape, DataType dtype) {
  const std::size_t bytes = bytes_of(shape, dtype);
  if (!shared_ || bytes <= kInlineBytes || bytes > process_->outputs.left()) {
    return TensorBuffer::allocate(shape, dtype);
  }
  try {
    TensorBuffer tensor = TensorBuffer::allocate(shape, dtype, allocator_, session_);
    const SharedLocation* const location = location_of(tensor);
    if (location != nullptr && allocator_session_ != location->session) allocator_session_ = location->session;
    if (shared_) return tensor;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::quota_exceeded) throw;
    return TensorBuffer::allocate(shape, dtype);
  }
  allocator_.close_session(session_);
  return TensorBuffer::allocate(shape, dtype);
}

void OutputArena::place(OutgoingTensor& outgoing) {
  if (!shared_) return;
  const TensorBuffer& tensor = *outgoing.given;
  outgoing.fits_record = fits_inline(tensor);
  if (outgoing.fits_record) return;
  outgoing.place = find(tensor);
  if (outgoing.place) return;
  const TensorBuffer row = allocate({static_cast<std::int64_t>(tensor.nbytes())}, DataType::uint8);
  outgoing.copy = viewed_as(row, row_major(tensor.layout()));
  outgoing.copy->assign(tensor);
  outgoing.place = find(*outgoing.copy);
}

std::optional<SegmentPlace> OutputArena::find(const TensorBuffer& tensor) {
  const SharedLocation* const location = location_of(tensor);
  if (location == nullptr || location->session != allocator_session_ || !allocator_.owns(tensor.block())) return {};
  const Segment& segment = *location->segment;
  MutexLock lock(mutex_);
  auto granted = granted_.find(segment.header().uuid);
  if (granted == granted_.end()) {
    if (next_number_ >= kMaxSegments) return {};
    const std::uint32_t number = next_number_++;
    Packet packet;
    packet.bytes = write_message(
        SegmentsMessage{0, {{SegmentRole::outputs, number, kGeneration, segment.size(), segment.header().uuid}}});
    packet.handles.push_back(segment.memory().handle_for(platform::Access::read_only));
    std::vector<Outgoing> items;
    items.emplace_back(std::move(packet));
    granted = granted_.emplace(segment.header().uuid, number).first;
    outbox_->send(std::move(items));
  }
  return SegmentPlace{granted->second, kGeneration, location->offset};
}

void OutputArena::close() {
  shared_ = false;
  allocator_.close_session(session_);
}

}  // namespace remotemedia::detail

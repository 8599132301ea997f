// SPDX-License-Identifier: Apache-2.0
//
// How the tensors of a call or an answer leave: as records of the ring where they lie in a segment that the other side
// sees, otherwise in a message or behind it.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "remotemedia/base/mutex.h"
#include "remotemedia/base/recycled_memory.h"
#include "remotemedia/channel/call_messages.h"
#include "remotemedia/channel/channel_messages.h"
#include "remotemedia/channel/client_process.h"
#include "remotemedia/channel/outbox.h"
#include "remotemedia/memory/memory_block.h"
#include "remotemedia/tensor/tensor_buffer.h"
#include "remotemedia/tensor/tensor_descriptor.h"
#include "remotemedia/worker/model_signature.h"
#include "remotemedia/worker/tensor_map.h"

namespace remotemedia::detail {

/// Where a tensor's block begins in a segment of the session.
struct SegmentPlace {
  std::uint32_t segment = 0;
  std::uint32_t generation = 0;
  std::uint64_t slot_offset = 0;
};

struct OutgoingTensor {
  /// Lifetime:  `tensor` outlives it.
  OutgoingTensor(TensorKey&& named, const TensorBuffer& tensor) noexcept : key(std::move(named)), given(&tensor) {}

  TensorKey key;
  const TensorBuffer* given;
  std::optional<SegmentPlace> place;  ///< None: the other side cannot see it.
  bool fits_record = false;           ///< Its bytes do.
  std::optional<TensorBuffer> copy;   ///< What is sent in its place.

  const TensorBuffer& tensor() const noexcept { return copy ? *copy : *given; }
};

/// The tensors of a call or an answer. A single one takes no memory of its own.
class OutgoingTensors {
 public:
  /// It stays there until the next one is added.
  OutgoingTensor& add(TensorKey&& key, const TensorBuffer& tensor);

  std::span<const OutgoingTensor> all() const noexcept {
    return single_ ? std::span(&*single_, 1) : std::span<const OutgoingTensor>(several_);
  }

 private:
  std::optional<OutgoingTensor> single_;
  std::vector<OutgoingTensor> several_;  ///< All, where there is more than one.
};

/// Memory that the other side may be reading.
struct LentBlock {
  MemoryBlock block;
  SegmentPlace place;
};

using LentBlocks = std::vector<LentBlock, RecyclingAllocator<LentBlock>>;

/// Those of `tensors` that have a record.
LentBlocks lent_blocks(std::span<const OutgoingTensor> tensors);

/// Calls `each(key, tensor)` for all of `tensors`: by their places in `specs` where that names just these, which is
/// what it returns; else by name.
template <class Each>
bool for_each_keyed(const TensorMap& tensors, std::span<const TensorSpec> specs, Each each) {
  TensorFinder all(tensors);
  const bool numbered = tensors.size() == specs.size() && std::ranges::all_of(specs, [&](const TensorSpec& spec) {
                          return all.find(spec.name) != nullptr;
                        });
  if (numbered) {
    TensorFinder each_one(tensors);
    for (std::size_t i = 0; i < specs.size(); ++i) {
      each(TensorKey(static_cast<std::uint32_t>(i)), *each_one.find(specs[i].name));
    }
  } else {
    for (const auto& [name, tensor] : tensors) each(TensorKey(name), tensor);
  }
  return numbered;
}

/// Whether a record says where it lies, also beside a message.
bool has_record(const OutgoingTensor& tensor) noexcept;

/// Whether records alone say all of it: every tensor lies in one, or in a segment and has few enough axes.
bool fits_records(std::span<const OutgoingTensor> tensors) noexcept;

/// What all records of a call or of an answer say.
struct RecordFields {
  DescriptorKind kind = DescriptorKind::submit;
  std::uint64_t request = 0;
  std::uint64_t deadline_ns = 0;
  std::uint32_t flags = 0;
};

/// One record for each tensor, of which there is one at least, in order. A single one takes no memory of its own.
class Records {
 public:
  Records(const RecordFields& fields, std::span<const OutgoingTensor> tensors);

  std::span<const Record> all() const noexcept { return more_.empty() ? std::span(&first_, 1) : std::span(more_); }

 private:
  Record first_;
  std::vector<Record> more_;  ///< All of them, where there is more than one.
};

/// Puts `tensors` into `message.tensors`, and behind `items` the records that it refers to, the message, and what
/// follows it in chunks.
///
/// Errors:  invalid_argument for a message that would be too large.
template <class M>
void append_message(std::vector<Outgoing>& items, M message, DescriptorKind kind,
                    std::span<const OutgoingTensor> tensors, std::size_t inline_bytes);

/// What the other side may be reading.
///
/// Threads:  any.
class LentTensors {
 public:
  /// `counted`: what is lent counts there.
  explicit LentTensors(Budget& counted) noexcept : counted_(counted) {}
  LentTensors(const LentTensors&) = delete;
  LentTensors& operator=(const LentTensors&) = delete;
  ~LentTensors() { clear(); }

  /// Those of `tensors` that have a record, before it is sent.
  void lend(std::span<const OutgoingTensor> tensors);

  /// The block that a release record gives back, to be let go by the caller.
  ///
  /// Errors:  protocol_error if nothing was lent there.
  MemoryBlock take_back(const TensorDescriptor& release);

  /// All of them, to be let go by the caller.
  std::vector<MemoryBlock> clear() noexcept;

  /// Ends a turn and begins another. Whether some tensor was lent all the time.
  bool end_turn();

 private:
  struct Lent {
    MemoryBlock block;
    std::size_t times = 0;
    std::uint64_t since = 0;  ///< The turn in which it was lent first, or given back once.
  };

  Budget& counted_;

  Mutex mutex_;
  /// By segment, generation and slot.
  RecyclingMap<std::tuple<std::uint32_t, std::uint32_t, std::uint64_t>, Lent> lent_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::uint64_t turn_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
};

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/tensor_sending.h"

#include <algorithm>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/channel/inline_tensor.h"
#include "remotemedia/channel/message_limits.h"

namespace remotemedia::detail {
namespace {

TensorDescriptor describe(const OutgoingTensor& outgoing, std::uint32_t flags) {
  const TensorBuffer& tensor = outgoing.tensor();
  if (!outgoing.place) {
    TensorDescriptor whole = describe_inline(tensor);
    whole.flags = flags | kInline;
    return whole;
  }
  TensorDescriptor descriptor =
      fits_descriptor(tensor.layout())
          ? descriptor_of(tensor)
          : descriptor_of(row_major({static_cast<std::int64_t>(tensor.nbytes())}, DataType::uint8));
  descriptor.flags = flags;
  descriptor.segment = outgoing.place->segment;
  descriptor.generation = outgoing.place->generation;
  descriptor.slot_offset = outgoing.place->slot_offset;
  descriptor.data_offset = static_cast<std::uint64_t>(tensor.data() - tensor.block().data());
  descriptor.nbytes = tensor.block().size();
  return descriptor;
}

Record record_of(const RecordFields& fields, std::span<const OutgoingTensor> tensors, std::size_t ordinal) {
  TensorDescriptor descriptor = describe(tensors[ordinal], fields.flags);
  descriptor.kind = static_cast<std::uint8_t>(fields.kind);
  descriptor.request_id = fields.request;
  descriptor.tensor_ordinal = static_cast<std::uint32_t>(ordinal);
  descriptor.tensor_count = static_cast<std::uint32_t>(tensors.size());
  descriptor.deadline_ns = fields.deadline_ns;
  return encode(descriptor);
}

MessageTensor message_tensor(const OutgoingTensor& outgoing) {
  MessageTensor tensor;
  tensor.key = outgoing.key;
  tensor.dtype = outgoing.tensor().dtype();
  tensor.shape = outgoing.tensor().shape();
  tensor.packed_bytes = static_cast<std::uint64_t>(outgoing.tensor().layout().packed_bytes);
  return tensor;
}

}  // namespace

OutgoingTensor& OutgoingTensors::add(TensorKey&& key, const TensorBuffer& tensor) {
  if (!single_ && several_.empty()) return single_.emplace(std::move(key), tensor);
  if (single_) several_.push_back(*std::exchange(single_, std::nullopt));
  return several_.emplace_back(std::move(key), tensor);
}

LentBlocks lent_blocks(std::span<const OutgoingTensor> tensors) {
  LentBlocks lent;
  for (const OutgoingTensor& tensor : tensors) {
    if (has_record(tensor)) lent.push_back({tensor.tensor().block(), *tensor.place});
  }
  return lent;
}

bool has_record(const OutgoingTensor& tensor) noexcept {
  return tensor.place && (fits_descriptor(tensor.tensor().layout()) || tensor.tensor().is_contiguous());
}

bool fits_records(std::span<const OutgoingTensor> tensors) noexcept {
  return !tensors.empty() && std::ranges::all_of(tensors, [](const OutgoingTensor& one) {
    return one.fits_record || (one.place && fits_descriptor(one.tensor().layout()));
  });
}

Records::Records(const RecordFields& fields, std::span<const OutgoingTensor> tensors)
    : first_(record_of(fields, tensors, 0)) {
  if (tensors.size() == 1) return;
  more_.reserve(tensors.size());
  more_.push_back(first_);
  for (std::size_t i = 1; i < tensors.size(); ++i) more_.push_back(record_of(fields, tensors, i));
}

template <class M>
void append_message(std::vector<Outgoing>& items, M message, DescriptorKind kind,
                    std::span<const OutgoingTensor> tensors, std::size_t inline_bytes) {
  std::vector<Outgoing> chunks;
  std::vector<TensorBuffer> kept;  // until the message is written
  std::size_t room = kMaxInlineBytes;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const OutgoingTensor& outgoing = tensors[i];
    MessageTensor tensor = message_tensor(outgoing);
    const std::size_t nbytes = outgoing.tensor().nbytes();
    if (has_record(outgoing)) {
      tensor.bytes_in = BytesIn::record;
      items.emplace_back(record_of({.kind = kind, .request = message.request, .flags = kTensorOfMessage}, tensors, i));
    } else {
      const TensorBuffer& dense =
          kept.emplace_back(outgoing.tensor().is_contiguous() ? outgoing.tensor() : outgoing.tensor().copy());
      if (nbytes == 0 || nbytes <= std::min(inline_bytes, room)) {
        tensor.bytes = {dense.data(), nbytes};
        room -= nbytes;
      } else {
        tensor.bytes_in = BytesIn::chunks;
        chunks.emplace_back(ChunkedTensor{message.request, static_cast<std::uint32_t>(i), dense});
      }
    }
    message.tensors.push_back(std::move(tensor));
  }
  items.emplace_back(Packet{write_message(message), {}});
  std::move(chunks.begin(), chunks.end(), std::back_inserter(items));
}

template void append_message(std::vector<Outgoing>& items, CallMessage message, DescriptorKind kind,
                             std::span<const OutgoingTensor> tensors, std::size_t inline_bytes);
template void append_message(std::vector<Outgoing>& items, AnswerMessage message, DescriptorKind kind,
                             std::span<const OutgoingTensor> tensors, std::size_t inline_bytes);

void LentTensors::lend(std::span<const OutgoingTensor> tensors) {
  if (std::ranges::none_of(tensors, has_record)) return;
  MutexLock lock(mutex_);
  for (const OutgoingTensor& tensor : tensors) {
    if (!has_record(tensor)) continue;
    const auto key = std::tuple(tensor.place->segment, tensor.place->generation, tensor.place->slot_offset);
    const MemoryBlock& block = tensor.tensor().block();
    Lent& lent = lent_[key];
    if (lent.times++ > 0) continue;
    lent.block = block;
    lent.since = turn_;
    counted_.take_anyway(block.size());
  }
}

MemoryBlock LentTensors::take_back(const TensorDescriptor& release) {
  MutexLock lock(mutex_);
  const auto found = lent_.find({release.segment, release.generation, release.slot_offset});
  if (found == lent_.end()) {
    throw Error(ErrorCode::protocol_error, "the other side gave a tensor back that it did not have");
  }
  found->second.since = turn_;
  if (--found->second.times > 0) return {};
  MemoryBlock block = std::move(found->second.block);
  lent_.erase(found);
  counted_.give_back(block.size());
  return block;
}

std::vector<MemoryBlock> LentTensors::clear() noexcept {
  std::vector<MemoryBlock> blocks;
  MutexLock lock(mutex_);
  for (auto& [place, lent] : lent_) {
    counted_.give_back(lent.block.size());
    blocks.push_back(std::move(lent.block));
  }
  lent_.clear();
  return blocks;
}

bool LentTensors::end_turn() {
  MutexLock lock(mutex_);
  const std::uint64_t ended = turn_++;
  return std::ranges::any_of(lent_, [&](const auto& one) { return one.second.since < ended; });
}

}  // namespace remotemedia::detail

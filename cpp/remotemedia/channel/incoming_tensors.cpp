// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/incoming_tensors.h"

#include <cstring>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/tensor/packed_bytes.h"

namespace remotemedia::detail {
namespace {

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::protocol_error, "the other side of the session is refused: " + why);
}

TensorBuffer taken_from(std::deque<TensorBuffer>& of_records, const MessageTensor& described) {
  if (of_records.empty()) refuse("a message has a tensor whose record did not come");
  TensorBuffer tensor = std::move(of_records.front());
  of_records.pop_front();
  if (tensor.dtype() == described.dtype && tensor.shape() == described.shape) return tensor;
  const TensorLayout layout = layout_of(described);
  const bool is_row = !fits_descriptor(layout) && tensor.dtype() == DataType::uint8 && tensor.shape().size() == 1 &&
                      tensor.is_contiguous() &&
                      static_cast<std::int64_t>(tensor.nbytes()) == dense_size(described).nbytes;
  if (!is_row) refuse("the record of a tensor and its message are of different tensors");
  return viewed_as(tensor, layout);
}

}  // namespace

IncomingTensors::IncomingTensors(std::span<const MessageTensor> tensors, std::deque<TensorBuffer>& of_records,
                                 std::size_t most_bytes, const Allocate& allocate) {
  std::size_t allocated = 0;
  for (const MessageTensor& described : tensors) {
    Incoming incoming{described.key, {}, false};
    switch (described.bytes_in) {
      case BytesIn::record:
        incoming.tensor = taken_from(of_records, described);
        break;
      case BytesIn::message:
        incoming.tensor = TensorBuffer::from_bytes(described.bytes, described.shape, described.dtype);
        break;
      case BytesIn::chunks:
        const auto nbytes = static_cast<std::size_t>(dense_size(described).nbytes);
        if (nbytes > most_bytes - allocated) {
          throw Error(ErrorCode::quota_exceeded, "tensors of " + std::to_string(allocated + nbytes) +
                                                     " bytes came in pieces, and " + std::to_string(most_bytes) +
                                                     " are permitted");
        }
        allocated += nbytes;
        incoming.tensor = viewed_as(allocate(nbytes), layout_of(described));
        incoming.in_chunks = true;
        break;
    }
    tensors_.push_back(std::move(incoming));
  }
  skip_complete();
}

void IncomingTensors::skip_complete() noexcept {
  while (next_ < tensors_.size() && !tensors_[next_].in_chunks) ++next_;
}

void IncomingTensors::add(const ChunkMessage& chunk) {
  if (complete() || chunk.tensor != next_ || chunk.offset != offset_) refuse("a chunk is not the one that follows");
  const TensorBuffer& tensor = tensors_[next_].tensor;
  if (chunk.bytes.size() > tensor.nbytes() - offset_) refuse("a chunk has more bytes than its tensor");
  std::memcpy(tensor.mutable_data() + offset_, chunk.bytes.data(), chunk.bytes.size());
  offset_ += chunk.bytes.size();
  if (offset_ < tensor.nbytes()) return;
  offset_ = 0;
  ++next_;
  skip_complete();
}

TensorMap IncomingTensors::take(std::span<const TensorSpec> specs) {
  TensorMap map;
  for (Incoming& incoming : tensors_) {
    const auto* const number = std::get_if<std::uint32_t>(&incoming.key);
    if (number != nullptr && *number >= specs.size()) {
      throw Error(ErrorCode::invalid_tensor, "there is no tensor of number " + std::to_string(*number) +
                                                 " in a signature of " + std::to_string(specs.size()));
    }
    const std::string& name = number != nullptr ? specs[*number].name : std::get<std::string>(incoming.key);
    map.insert_or_assign(name, incoming.tensor.as_read_only());
  }
  tensors_.clear();
  return map;
}

bool RecordTensors::add(const TensorDescriptor& descriptor, TensorBuffer&& tensor, std::span<const TensorSpec> specs) {
  if (descriptor.tensor_ordinal == 0 && added_ == 0) {
    request_ = descriptor.request_id;
    deadline_ns_ = descriptor.deadline_ns;
    count_ = descriptor.tensor_count;
  }
  if (descriptor.request_id != request_ || descriptor.tensor_count != count_ || descriptor.tensor_ordinal != added_) {
    refuse("the tensors of its records do not follow each other");
  }
  if (count_ == specs.size()) tensors_.try_emplace(specs[added_].name, std::move(tensor));
  return ++added_ == count_;
}

TensorMap RecordTensors::take(std::span<const TensorSpec> specs) {
  const std::size_t count = std::exchange(added_, 0);
  if (count == specs.size()) return std::exchange(tensors_, {});
  throw Error(ErrorCode::invalid_tensor,
              std::to_string(count) + " tensors where the signature has " + std::to_string(specs.size()));
}

}  // namespace remotemedia::detail

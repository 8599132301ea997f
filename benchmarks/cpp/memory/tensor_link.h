// SPDX-License-Identifier: Apache-2.0
//
// TensorLink: two processes that hand tensors over to each other without copying them, as a worker and its client do.
// Each side has shared memory that only it writes: a ring of records to the other side, and a segment with its tensor.
// A hand-off is one record of 256 bytes; whoever gets one checks it and reads the tensor where it lies.
//
//     TensorLink link(channel, bytes);      // in both processes
//     link.send(number); link.receive();    // in one: there and back
//     link.receive(); link.send(number);    // in the other

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "peer.h"
#include "remotemedia/memory/record_ring.h"
#include "remotemedia/memory/shared_memory_allocator.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/shared_memory.h"
#include "remotemedia/tensor/tensor_buffer.h"
#include "remotemedia/tensor/tensor_descriptor.h"

namespace remotemedia::bench {

/// A channel between this process and `peer`, made as a worker and its client make theirs; and the other end of it.
platform::DescriptorChannel open_channel(Wire& to_peer);
platform::DescriptorChannel join_channel(Wire& to_parent);

class TensorLink {
 public:
  /// Makes a tensor of `bytes` bytes and shows it to the other side, which does the same. Every page is touched here
  /// and there before this returns.
  TensorLink(platform::DescriptorChannel channel, std::size_t bytes);

  /// Hands the tensor over. `mark` is the number of the request.
  void send(std::uint64_t mark);

  /// Writes `mark` to the first element, as somebody who makes a new tensor does, and hands it over.
  void write_and_send(std::uint64_t mark);

  /// Waits for the other side's tensor, checks its descriptor and reads its first and last byte. Returns the mark.
  std::uint64_t receive();

  /// The same, and checks that the first element says so too.
  std::uint64_t receive_written();

 private:
  /// What one side writes: the records to the other, and how many it has read.
  struct Ring {
    platform::SharedMemory memory;
    platform::Mapping pages;
  };
  const std::byte* receive_tensor(TensorDescriptor& received);

  platform::DescriptorChannel channel_;
  SharedMemoryAllocator allocator_;
  TensorBuffer tensor_;
  TensorDescriptor descriptor_;
  Ring ring_;

  platform::Mapping their_ring_;
  platform::Mapping their_segment_;
  DescriptorSegment their_segment_size_;
  std::optional<RecordWriter> writer_;
  std::optional<RecordReader> reader_;
};

/// In the other process: answers with its own tensor until it is killed. Reads what was written if `written`.
void answer_tensors(Wire& wire);

}  // namespace remotemedia::bench

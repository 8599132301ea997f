// SPDX-License-Identifier: Apache-2.0
//
// The note that goes with an exported block and says which tensor lies in it: a TensorDescriptor, and for more than
// kDescriptorRank axes all extents and then all strides behind it, each an i64.
//
// The descriptor's slot is the block. Where in its segment that lies is the exporter's business, so the note places it
// right behind the header of a segment that holds nothing else.

#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "remotemedia/tensor/tensor_layout.h"

namespace remotemedia {

struct TensorPlace {
  TensorLayout layout;
  std::size_t offset = 0;  ///< Of element 0 in the block, in bytes.
};

std::vector<std::byte> encode_note(const TensorPlace& place, std::size_t block_bytes);

/// What another process wrote about a block of `block_bytes`, checked against it.
///
/// Errors:  protocol_error that says what is wrong.
TensorPlace decode_note(std::span<const std::byte> note, std::size_t block_bytes);

}  // namespace remotemedia

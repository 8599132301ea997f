// SPDX-License-Identifier: Apache-2.0
//
// A note of any content is a tensor within its block, or a protocol_error. As with descriptors, its first 256 bytes are
// what differs from a sound one.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "fuzzed_bytes.h"
#include "remotemedia/base/error.h"
#include "remotemedia/tensor/tensor_note.h"

using namespace remotemedia;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  testing::FuzzedBytes input(data, size);
  const std::size_t block_bytes = input.take<std::uint16_t>();
  std::vector<std::byte> note = encode_note({row_major({2, 3}, DataType::float32), 8}, block_bytes);
  const bool cut = input.rest().size() < note.size() && input.take<std::uint8_t>() == 255;
  for (std::byte& byte : note) byte ^= input.take<std::byte>();
  note.insert(note.end(), input.rest().begin(), input.rest().end());
  if (cut) note.resize(note.size() / 2);

  try {
    const TensorPlace place = decode_note(note, block_bytes);
    testing::require(lies_within(checked(place.layout), place.offset, block_bytes), "it lies in its block");
    const TensorPlace again = decode_note(encode_note(place, block_bytes), block_bytes);
    testing::require(again.layout == place.layout && again.offset == place.offset, "it is written as it was read");
  } catch (const Error& error) {
    testing::require(error.code() == ErrorCode::protocol_error, "it is refused with its code");
  }
  return 0;
}

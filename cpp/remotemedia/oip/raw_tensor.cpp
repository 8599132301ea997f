// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/raw_tensor.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/tensor/dims.h"
#include "remotemedia/tensor/packed_bytes.h"

namespace remotemedia::detail {
namespace {

constexpr std::size_t kAlignment = 16;  // of the largest element

[[noreturn]] void refuse(const AnnouncedTensor& tensor, const std::string& why) {
  throw Error(ErrorCode::invalid_tensor, "the tensor '" + std::string(tensor.name) + "' " + why);
}

Dims dims_of(const AnnouncedTensor& tensor) {
  if (tensor.shape.size() > kMaxRank) {
    refuse(tensor,
           "has " + std::to_string(tensor.shape.size()) + " dimensions, " + std::to_string(kMaxRank) + " are the most");
  }
  return Dims(tensor.shape);
}

std::size_t least_bytes_of(DataType dtype) { return dtype == DataType::bytes ? kPackedLengthBytes : itemsize(dtype); }

}  // namespace

std::size_t element_count_of(const AnnouncedTensor& tensor) {
  const Dims shape = dims_of(tensor);
  const std::size_t most = std::numeric_limits<std::int64_t>::max() / least_bytes_of(tensor.dtype);
  std::size_t count = 1;
  bool empty = false;
  for (const std::int64_t extent : shape) {
    if (extent < 0) refuse(tensor, "has an extent of " + std::to_string(extent));
    if (extent == 0) {
      empty = true;
      continue;
    }
    if (static_cast<std::uint64_t>(extent) > most / count) {
      refuse(tensor, "is of the shape " + to_string(shape) + ", which no memory holds");
    }
    count *= static_cast<std::size_t>(extent);
  }
  return empty ? 0 : count;
}

void check_bytes(const AnnouncedTensor& tensor, std::size_t bytes) {
  const std::size_t count = element_count_of(tensor);
  const std::size_t size = itemsize(tensor.dtype);
  if (size == 0) {
    if (bytes / kPackedLengthBytes >= count && (bytes == 0 || count > 0)) return;
    refuse(tensor, "of bytes and the shape " + to_string(dims_of(tensor)) + " has " + std::to_string(bytes) +
                       " bytes, and the lengths of its elements alone take " + std::to_string(kPackedLengthBytes) +
                       " each");
  }
  if (bytes / size != count || bytes % size != 0) {
    refuse(tensor, "of " + std::string(to_string(tensor.dtype)) + " and the shape " + to_string(dims_of(tensor)) +
                       " has " + std::to_string(bytes) + " bytes instead of " + std::to_string(count) +
                       " elements of " + std::to_string(size));
  }
}

TensorBuffer packed_tensor(const AnnouncedTensor& tensor, const TensorBuffer& row) {
  const Dims shape = dims_of(tensor);
  const auto bytes = static_cast<std::int64_t>(row.nbytes());
  try {
    TensorBuffer packed = viewed_as(row, {DataType::bytes, shape, row_major_strides(shape), bytes});
    check_packed(packed);
    return packed;
  } catch (const Error& error) {
    refuse(tensor, std::string("is refused: ").append(error.what()));
  }
}

TensorBuffer tensor_of_raw(const AnnouncedTensor& tensor, std::span<const std::byte> bytes,
                           std::shared_ptr<const void> owner) {
  check_bytes(tensor, bytes.size());
  const Dims shape = dims_of(tensor);
  if (tensor.dtype == DataType::bytes) {
    const std::int64_t count = static_cast<std::int64_t>(bytes.size());
    const TensorBuffer row = tensor_of_raw({tensor.name, DataType::uint8, std::span(&count, 1)}, bytes, owner);
    return packed_tensor(tensor, row);
  }
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % kAlignment != 0) {
    return TensorBuffer::from_bytes(bytes, shape, tensor.dtype).as_read_only();
  }
  // Read-only: nobody writes what it points to.
  void* const data = const_cast<std::byte*>(bytes.data());  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  return TensorBuffer::from_foreign(data, shape, tensor.dtype, std::move(owner), true);
}

}  // namespace remotemedia::detail

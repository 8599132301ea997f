// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/tensor/tensor_buffer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/copy_bytes.h"
#include "remotemedia/tensor/element_copy.h"
#include "remotemedia/tensor/packed_bytes.h"

namespace remotemedia {
namespace {

/// What elements point to where there are none and their owner names no address.
alignas(256) std::array<std::byte, 256> no_elements{};

std::string description(const TensorBuffer& tensor) {
  return std::string(to_string(tensor.dtype())) + " tensor of shape " + to_string(tensor.shape());
}

/// The most that an element of `dtype` asks of its address; a complex number as much as its half.
std::size_t alignment_of(DataType dtype) noexcept {
  const bool complex = dtype >= DataType::complex32 && dtype <= DataType::complex128;
  return complex ? itemsize(dtype) / 2 : itemsize(dtype);
}

struct ByteRange {
  const std::byte* begin;
  const std::byte* end;
};

ByteRange bytes_of(const TensorBuffer& tensor) {
  const LayoutSize size = checked(tensor.layout());
  return {tensor.data() + size.begin, tensor.data() + size.end};
}

}  // namespace

std::string_view to_string(StorageKind kind) noexcept {
  switch (kind) {
    case StorageKind::heap:
      return "heap";
    case StorageKind::shared_memory:
      return "shared_memory";
    case StorageKind::gpu:
      return "gpu";
    case StorageKind::foreign:
      return "foreign";
  }
  return "unknown";
}

TensorBuffer::TensorBuffer(MemoryBlock&& block, std::byte* data, TensorLayout&& layout, Device device,
                           bool read_only) noexcept
    : block_(std::move(block)), data_(data), layout_(std::move(layout)), device_(device), read_only_(read_only) {}

TensorBuffer::TensorBuffer(TensorBuffer&& other) noexcept
    : block_(std::move(other.block_)),
      data_(std::exchange(other.data_, nullptr)),
      layout_{std::exchange(other.layout_.dtype, DataType::uint8), std::move(other.layout_.shape),
              std::move(other.layout_.strides), std::exchange(other.layout_.packed_bytes, 0)},
      device_(std::exchange(other.device_, Device{})),
      read_only_(std::exchange(other.read_only_, true)),
      exports_(std::move(other.exports_)) {}

TensorBuffer& TensorBuffer::operator=(TensorBuffer&& other) noexcept {
  if (this == &other) return *this;
  const TensorBuffer before = std::move(*this);  // it ends when this one is whole again
  std::destroy_at(this);
  std::construct_at(this, std::move(other));
  return *this;
}

TensorBuffer TensorBuffer::all_of(MemoryBlock&& block, TensorLayout&& layout) noexcept {
  std::byte* const data = block.data();
  return {std::move(block), data, std::move(layout), Device{}, false};
}

TensorBuffer TensorBuffer::allocate(const Dims& shape, DataType dtype) {
  TensorLayout layout{dtype, shape, row_major_strides(shape)};
  MemoryBlock block = allocate_heap_block(static_cast<std::size_t>(checked(layout).nbytes));
  return all_of(std::move(block), std::move(layout));
}

TensorBuffer TensorBuffer::allocate(const Dims& shape, DataType dtype, SharedMemoryAllocator& allocator,
                                    std::string_view session) {
  TensorLayout layout{dtype, shape, row_major_strides(shape)};
  MemoryBlock block = allocator.allocate(static_cast<std::size_t>(checked(layout).nbytes), session);
  return all_of(std::move(block), std::move(layout));
}

TensorBuffer TensorBuffer::from_bytes(std::span<const std::byte> bytes, const Dims& shape, DataType dtype) {
  if (dtype == DataType::bytes) {
    const auto count = static_cast<std::int64_t>(bytes.size());
    TensorBuffer packed =
        detail::viewed_as(from_bytes(bytes, {count}, DataType::uint8), {dtype, shape, row_major_strides(shape), count});
    check_packed(packed);
    return packed;
  }
  const auto needed = static_cast<std::size_t>(checked(row_major(shape, dtype)).nbytes);
  if (bytes.size() != needed) {
    throw Error(ErrorCode::invalid_tensor, std::to_string(bytes.size()) + " bytes for a " +
                                               std::string(to_string(dtype)) + " tensor of shape " + to_string(shape) +
                                               ", which takes " + std::to_string(needed));
  }
  TensorBuffer tensor = allocate(shape, dtype);
  if (needed > 0) copy_bytes(tensor.data_, bytes.data(), needed);
  return tensor;
}

TensorBuffer TensorBuffer::view_of(MemoryBlock block, std::size_t offset, TensorLayout layout, Device device) {
  if (!block) throw Error(ErrorCode::invalid_tensor, "a view of no memory");
  const LayoutSize size = checked(layout);
  if (!lies_within(size, offset, block.size())) {
    throw Error(ErrorCode::invalid_tensor,
                "a " + std::string(to_string(layout.dtype)) + " tensor of shape " + to_string(layout.shape) +
                    " with strides " + to_string(layout.strides) + " and element 0 at byte " + std::to_string(offset) +
                    " reaches beyond its memory of " + std::to_string(block.size()) + " bytes");
  }
  TensorBuffer view = detail::sound_view(std::move(block), offset, std::move(layout));
  view.device_ = device;
  return view;
}

TensorBuffer detail::sound_view(MemoryBlock block, std::size_t offset, TensorLayout layout, bool read_only) noexcept {
  std::byte* const data = block.data() + offset;
  read_only = read_only || block.read_only();
  return {std::move(block), data, std::move(layout), Device{}, read_only};
}

TensorBuffer TensorBuffer::from_foreign(void* data, const Dims& shape, DataType dtype,
                                        std::shared_ptr<const void> owner, bool read_only, std::optional<Dims> strides,
                                        Device device) {
  TensorLayout layout = strides ? TensorLayout{dtype, shape, *strides} : row_major(shape, dtype);
  const LayoutSize size = checked(layout);
  if (data == nullptr && size.elements > 0) {
    throw Error(ErrorCode::invalid_tensor,
                "no address for a " + std::string(to_string(dtype)) + " tensor of shape " + to_string(shape));
  }
  std::byte* const first = data != nullptr ? static_cast<std::byte*>(data) : no_elements.data();
  const auto address = reinterpret_cast<std::uintptr_t>(first);
  if (!lies_within(size, address, UINTPTR_MAX)) {
    throw Error(ErrorCode::invalid_tensor, "a tensor of shape " + to_string(shape) + " with strides " +
                                               to_string(layout.strides) + " reaches beyond all addresses");
  }
  using Owner = std::shared_ptr<const void>;
  auto keep = std::make_unique<Owner>(std::move(owner));
  MemoryBlock block =
      adopt_foreign_block(first + size.begin, static_cast<std::size_t>(size.end - size.begin), read_only, keep.get(),
                          [](void* kept) noexcept { delete static_cast<Owner*>(kept); });
  keep.release();  // NOLINT(bugprone-unused-return-value): the block has it
  return {std::move(block), first, std::move(layout), device, read_only};
}

StorageKind TensorBuffer::storage() const noexcept {
  if (!is_host(device_.type)) return StorageKind::gpu;
  switch (block_.kind()) {
    case BlockKind::heap:
      return StorageKind::heap;
    case BlockKind::shared_memory:
      return StorageKind::shared_memory;
    case BlockKind::foreign:
      return StorageKind::foreign;
  }
  return StorageKind::heap;
}

bool TensorBuffer::is_contiguous() const noexcept { return remotemedia::is_contiguous(shape(), strides()); }

std::size_t TensorBuffer::element_count() const noexcept {
  if (data_ == nullptr) return 0;
  std::size_t count = 1;
  for (const std::int64_t extent : layout_.shape) count *= static_cast<std::size_t>(extent);
  return count;
}

std::size_t TensorBuffer::nbytes() const noexcept {
  if (layout_.dtype == DataType::bytes) return static_cast<std::size_t>(layout_.packed_bytes);
  return element_count() * itemsize(layout_.dtype);
}

std::byte* TensorBuffer::mutable_data() const {
  check_present();
  if (read_only_) {
    throw Error(ErrorCode::invalid_tensor, "a read-only " + description(*this) + ": copy() gives one to write to");
  }
  return data_;
}

std::vector<std::byte> TensorBuffer::to_bytes() const {
  check_host();
  std::vector<std::byte> bytes(nbytes());
  copy_elements(bytes.data(), row_major(layout_), data_, layout_);
  return bytes;
}

TensorBuffer TensorBuffer::as_read_only() const& { return TensorBuffer(*this).as_read_only(); }

TensorBuffer TensorBuffer::as_read_only() && {
  check_present();
  read_only_ = true;
  return std::move(*this);
}

TensorBuffer TensorBuffer::copy() const {
  check_host();
  TensorLayout dense = row_major(layout_);
  TensorBuffer made = all_of(allocate_heap_block(nbytes()), std::move(dense));
  copy_elements(made.data_, made.layout_, data_, layout_);
  return made;
}

TensorBuffer TensorBuffer::copy(SharedMemoryAllocator& allocator, std::string_view session) const {
  check_host();
  TensorLayout dense = row_major(layout_);
  TensorBuffer made = all_of(allocator.allocate(nbytes(), session), std::move(dense));
  copy_elements(made.data_, made.layout_, data_, layout_);
  return made;
}

void TensorBuffer::assign(const TensorBuffer& source) const {
  check_host();
  source.check_host();
  if (source.dtype() != dtype() || source.shape() != shape() || source.layout_.packed_bytes != layout_.packed_bytes) {
    throw Error(ErrorCode::invalid_tensor, "a " + description(source) + " for a " + description(*this));
  }
  std::byte* const to = mutable_data();
  if (is_contiguous() && source.is_contiguous()) {
    const std::byte* const from = source.data_;
    if (from == to) return;
    const std::size_t bytes = nbytes();
    const bool apart = std::less_equal<>()(to + bytes, from) || std::less_equal<>()(from + bytes, to);
    apart ? copy_bytes(to, from, bytes) : static_cast<void>(std::memmove(to, from, bytes));
    return;
  }
  const ByteRange ours = bytes_of(*this);
  const ByteRange theirs = bytes_of(source);
  if (std::less<>()(ours.begin, theirs.end) && std::less<>()(theirs.begin, ours.end)) {
    if (source.data_ == data_ && source.strides() == strides()) return;
    const TensorBuffer apart = source.copy();
    copy_elements(to, layout_, apart.data_, apart.layout_);
  } else {
    copy_elements(to, layout_, source.data_, source.layout_);
  }
}

void TensorBuffer::check_present() const {
  if (data_ == nullptr) {
    throw Error(ErrorCode::invalid_tensor,
                "an empty TensorBuffer: it was released or moved from, or never had elements");
  }
}

void TensorBuffer::check_host() const {
  check_present();
  if (!is_host(device_.type)) {
    throw Error(ErrorCode::invalid_tensor,
                "a " + description(*this) + " on " + to_string(device_) + ": the processor cannot read it there");
  }
}

void TensorBuffer::check_span(bool dtype_matches, bool const_elements) const {
  check_host();
  const auto refuse = [&](const std::string& why) {
    return Error(ErrorCode::invalid_tensor, "a span of a " + description(*this) + ": " + why);
  };
  if (!dtype_matches) throw refuse("its elements are of another type");
  if (read_only_ && !const_elements) throw refuse("it is read-only: ask for const elements, or copy()");
  if (!is_contiguous()) throw refuse("it is not contiguous: copy() is");
  if (reinterpret_cast<std::uintptr_t>(data_) % alignment_of(dtype()) != 0) {
    throw refuse("its elements are not aligned: those of copy() are");
  }
}

}  // namespace remotemedia

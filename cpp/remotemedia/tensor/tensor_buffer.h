// SPDX-License-Identifier: Apache-2.0
//
// TensorBuffer: a typed view of memory that it keeps alive.
//
//     TensorBuffer frame = TensorBuffer::allocate({480, 640, 3}, DataType::uint8, allocator, "camera-1");
//     fill(frame.span<std::uint8_t>());                                    // in place, in shared memory
//     std::string id = frame.to_shared_memory();                           // a token for another process
//     TensorBuffer there = TensorBuffer::from_shared_memory(id);           // in that process: read-only, not copied
//     TensorBuffer corner = there.slice(0, {.end = 16}).slice(1, {.end = 16});
//
// A view owns what it views: it outlives the buffer, the allocator and the session that it came from. DLPack: dlpack.h.

#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/error.h"
#include "remotemedia/base/export.h"
#include "remotemedia/memory/memory_block.h"
#include "remotemedia/memory/shared_memory_allocator.h"
#include "remotemedia/tensor/data_type.h"
#include "remotemedia/tensor/device.h"
#include "remotemedia/tensor/dims.h"
#include "remotemedia/tensor/layout_views.h"
#include "remotemedia/tensor/tensor_exports.h"
#include "remotemedia/tensor/tensor_layout.h"

namespace remotemedia {

/// Where a tensor's elements lie.
enum class StorageKind : std::uint8_t { heap, shared_memory, gpu, foreign };

REMOTEMEDIA_API std::string_view to_string(StorageKind kind) noexcept;

class TensorBuffer;

namespace detail {

/// As TensorBuffer::view_of(), of a layout that was found to lie within `block` already.
///
/// read_only:  also where the block is not.
REMOTEMEDIA_API TensorBuffer sound_view(MemoryBlock block, std::size_t offset, TensorLayout layout,
                                        bool read_only = false) noexcept;

}  // namespace detail

/// A handle with its own shape: copies view the same elements. An empty one (default, moved from, released) has no
/// elements; asking it for them is invalid_tensor.
///
/// Errors:   thrown as Error, invalid_tensor where nothing else is said. Copies, moves and destruction never throw.
/// Threads:  as a std::shared_ptr; the elements are the user's to order.
class REMOTEMEDIA_API TensorBuffer {
 public:
  TensorBuffer() noexcept = default;
  TensorBuffer(const TensorBuffer&) noexcept = default;
  TensorBuffer(TensorBuffer&& other) noexcept;
  TensorBuffer& operator=(const TensorBuffer& other) noexcept { return *this = TensorBuffer(other); }
  TensorBuffer& operator=(TensorBuffer&& other) noexcept;
  ~TensorBuffer() = default;

  /// New memory of this process, or of `allocator` (charged to `session`), row-major, not initialised.
  ///
  /// Errors:  negative extents, more than kMaxRank of them, or a size that overflows; DataType::bytes, whose elements
  ///          are needed for it (packed_bytes.h); and those of SharedMemoryAllocator::allocate.
  static TensorBuffer allocate(const Dims& shape, DataType dtype);
  static TensorBuffer allocate(const Dims& shape, DataType dtype, SharedMemoryAllocator& allocator,
                               std::string_view session = {});

  /// A copy of `bytes`, which must be exactly as many as the shape takes; of DataType::bytes packed ones.
  static TensorBuffer from_bytes(std::span<const std::byte> bytes, const Dims& shape, DataType dtype);

  /// A view of `block`, element 0 at `offset` bytes in it. Every element that `layout` reaches must lie within.
  static TensorBuffer view_of(MemoryBlock block, std::size_t offset, TensorLayout layout, Device device = {});

  /// A view of somebody else's memory, kept by `owner`. `data` is element 0, and may be nullptr where there is none;
  /// strides in elements, row-major when left out.
  static TensorBuffer from_foreign(void* data, const Dims& shape, DataType dtype, std::shared_ptr<const void> owner,
                                   bool read_only, std::optional<Dims> strides = std::nullopt, Device device = {});

  /// An id that another process of this user opens with from_shared_memory() while this buffer, a copy made of it
  /// since, or an importer lives. Elements in an allocator's shared memory are shown as they are: importers see later
  /// writes, and every call gives one id. Others are copied there (to `allocator`, or
  /// SharedMemoryAllocator::process()): each call is a snapshot with an id of its own, which this buffer keeps.
  ///
  /// Errors:  shared_memory_unavailable; DataType::bytes; those of allocate.
  std::string to_shared_memory(SharedMemoryAllocator* allocator = nullptr) const;

  /// The same for an importer to whom the id is on its way, in a message that may outlive this buffer: the elements
  /// stay for it, for the allocator's lease_ttl from now, 60 s where none is set. One importer is awaited for each
  /// call.
  std::string lend() const;

  /// A read-only view of a tensor that another process of this user exported.
  ///
  /// Errors:  as import_block(); protocol_error if what it sent describes no tensor within its memory.
  static TensorBuffer from_shared_memory(std::string_view id, Duration timeout = std::chrono::seconds{5});

  const Dims& shape() const noexcept { return layout_.shape; }

  /// In elements; negative and 0 are legal.
  const Dims& strides() const noexcept { return layout_.strides; }
  DataType dtype() const noexcept { return layout_.dtype; }
  const TensorLayout& layout() const noexcept { return layout_; }
  Device device() const noexcept { return device_; }
  StorageKind storage() const noexcept;
  bool read_only() const noexcept { return read_only_; }

  /// Row-major without gaps.
  bool is_contiguous() const noexcept;

  std::size_t element_count() const noexcept;

  /// Of the elements, without gaps.
  std::size_t nbytes() const noexcept;

  explicit operator bool() const noexcept { return data_ != nullptr; }

  /// Element 0. Never null but for an empty buffer, also where there is no element.
  ///
  /// Errors:  mutable_data: invalid_tensor if read_only().
  const std::byte* data() const noexcept { return data_; }
  std::byte* mutable_data() const;

  /// The elements of a contiguous tensor. T is what dtype() is in C++ (see is_element_of: std::uint16_t for bfloat16
  /// and float16, std::uint8_t for the float8 types and, beside bool, for bool, which is how to read one that another
  /// process wrote).
  ///
  /// Errors:   another dtype, not contiguous, not aligned for T, on a device; read_only() unless T is const.
  /// Lifetime: while this buffer or a view of it lives.
  template <class T>
  requires Element<std::remove_const_t<T>> std::span<T> span()
  const {
    check_span(is_element_of<std::remove_const_t<T>>(dtype()), std::is_const_v<T>);
    return {reinterpret_cast<T*>(data_), element_count()};
  }

  /// The elements in row-major order, copied if need be, without dtype.
  std::vector<std::byte> to_bytes() const;

  /// A view with other extents, one of which may be -1.
  ///
  /// Errors:  another number of elements; zero_copy_unavailable where only a copy could do it.
  TensorBuffer reshape(const Dims& shape) const;

  using Range = IndexRange;

  /// Views: part of an axis; one index of it, without the axis; the axes in another order (none: reversed); extents of
  /// 1 repeated to `shape` with stride 0, read-only since several elements are one; an axis of extent 1 put in.
  ///
  /// Errors:  as the functions of layout_views.h.
  TensorBuffer slice(std::size_t axis, Range range) const;
  TensorBuffer select(std::size_t axis, std::int64_t index) const;
  TensorBuffer transpose(const std::optional<Dims>& axes = std::nullopt) const;
  TensorBuffer broadcast_to(const Dims& shape) const;
  TensorBuffer expand_dims(std::size_t axis) const;

  /// The same elements, not to be written through this one.
  TensorBuffer as_read_only() const&;
  TensorBuffer as_read_only() &&;

  /// A row-major copy in new memory, as allocate().
  TensorBuffer copy() const;
  TensorBuffer copy(SharedMemoryAllocator& allocator, std::string_view session = {}) const;

  /// Copies `source`, of the same shape and dtype, over these elements, whatever the strides of both, and also where
  /// they overlap.
  ///
  /// Errors:  another shape or dtype, on a device, read_only().
  void assign(const TensorBuffer& source) const;

  /// What keeps the elements.
  const MemoryBlock& block() const noexcept { return block_; }

 private:
  friend TensorBuffer detail::sound_view(MemoryBlock block, std::size_t offset, TensorLayout layout,
                                         bool read_only) noexcept;
  TensorBuffer(MemoryBlock&& block, std::byte* data, TensorLayout&& layout, Device device, bool read_only) noexcept;
  static TensorBuffer all_of(MemoryBlock&& block, TensorLayout&& layout) noexcept;
  void check_present() const;
  void check_host() const;
  void check_span(bool dtype_matches, bool const_elements) const;
  TensorBuffer view(const LayoutView& view) const;
  void check_can_be_shown() const;
  bool can_be_shared_in_place() const noexcept;
  Export share_in_place(std::optional<Duration> lease) const;
  Export snapshot(SharedMemoryAllocator& allocator, std::optional<Duration> lease) const;

  MemoryBlock block_;
  std::byte* data_ = nullptr;
  TensorLayout layout_;
  Device device_;
  bool read_only_ = true;
  TensorExports exports_;
};

}  // namespace remotemedia

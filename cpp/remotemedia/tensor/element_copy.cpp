// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/tensor/element_copy.h"

#include <array>
#include <cstdint>
#include <cstring>

#include "remotemedia/memory/copy_bytes.h"

namespace remotemedia {
namespace {

/// An axis of both sides, with the way to the next index in bytes.
struct Axis {
  std::int64_t extent;
  std::int64_t to;
  std::int64_t from;
};

/// Axes that matter, outermost first, neighbours that are one run on both sides joined; innermost, the bytes of an
/// element as an axis of their own.
class Walk {
 public:
  Walk(const TensorLayout& to, const TensorLayout& from) noexcept {
    const auto item = static_cast<std::int64_t>(itemsize(to.dtype));
    for (std::size_t axis = 0; axis < to.shape.size(); ++axis) {
      if (to.shape[axis] != 1) add({to.shape[axis], to.strides[axis] * item, from.strides[axis] * item});
    }
    add({item, 1, 1});
  }

  void copy(std::byte* to, const std::byte* from) const noexcept { copy(0, to, from); }

 private:
  void add(Axis inner) noexcept {
    if (rank_ > 0) {
      Axis& outer = axes_[rank_ - 1];
      if (outer.to == inner.extent * inner.to && outer.from == inner.extent * inner.from) {
        outer = {outer.extent * inner.extent, inner.to, inner.from};
        return;
      }
    }
    axes_[rank_++] = inner;
  }

  void copy(std::size_t depth, std::byte* to, const std::byte* from) const noexcept {
    const Axis& axis = axes_[depth];
    if (depth + 1 == rank_) {
      copy_bytes(to, from, static_cast<std::size_t>(axis.extent));
    } else if (depth + 2 == rank_) {
      copy_row(axis, static_cast<std::size_t>(axes_[depth + 1].extent), to, from);
    } else {
      for (std::int64_t i = 0; i < axis.extent; ++i) copy(depth + 1, to + i * axis.to, from + i * axis.from);
    }
  }

  static void copy_row(const Axis& axis, std::size_t run, std::byte* to, const std::byte* from) noexcept {
    switch (run) {
      case 1:
        return copy_runs<1>(axis, to, from);
      case 2:
        return copy_runs<2>(axis, to, from);
      case 4:
        return copy_runs<4>(axis, to, from);
      case 8:
        return copy_runs<8>(axis, to, from);
      case 16:
        return copy_runs<16>(axis, to, from);
      default:
        for (std::int64_t i = 0; i < axis.extent; ++i) std::memcpy(to + i * axis.to, from + i * axis.from, run);
    }
  }

  template <std::size_t kRun>
  static void copy_runs(const Axis& axis, std::byte* to, const std::byte* from) noexcept {
    for (std::int64_t i = 0; i < axis.extent; ++i) std::memcpy(to + i * axis.to, from + i * axis.from, kRun);
  }

  std::array<Axis, kMaxRank + 1> axes_;
  std::size_t rank_ = 0;
};

}  // namespace

void copy_elements(std::byte* to, const TensorLayout& to_layout, const std::byte* from,
                   const TensorLayout& from_layout) noexcept {
  for (const std::int64_t extent : to_layout.shape) {
    if (extent == 0) return;
  }
  if (to_layout.dtype == DataType::bytes) {
    copy_bytes(to, from, static_cast<std::size_t>(to_layout.packed_bytes));
  } else {
    Walk(to_layout, from_layout).copy(to, from);
  }
}

}  // namespace remotemedia

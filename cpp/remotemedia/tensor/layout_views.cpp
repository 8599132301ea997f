// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/tensor/layout_views.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"

namespace remotemedia {
namespace {

void require_axis(const TensorLayout& layout, std::size_t axis, std::size_t axes) {
  if (axis < axes) return;
  throw Error(ErrorCode::invalid_argument,
              "axis " + std::to_string(axis) + " of a tensor of shape " + to_string(layout.shape));
}

void require_fixed_size(const TensorLayout& layout) {
  if (layout.dtype != DataType::bytes) return;
  throw Error(ErrorCode::invalid_tensor,
              "a tensor of bytes, whose elements have any length, has no views but reshape(): unpack_bytes() in C++ "
              "and to_numpy() in Python give its elements");
}

std::int64_t bytes_to(const TensorLayout& layout, std::size_t axis, std::int64_t index) {
  return index * layout.strides[axis] * static_cast<std::int64_t>(itemsize(layout.dtype));
}

bool has_elements(const Dims& shape) noexcept { return std::ranges::find(shape, 0) == shape.end(); }

/// `position` as Python reads it in a slice of `extent`, cut to [lowest, highest].
std::int64_t cut(std::int64_t position, std::int64_t extent, std::int64_t lowest, std::int64_t highest) {
  if (position < 0) position += extent;
  return std::clamp(position, lowest, highest);
}

}  // namespace

LayoutView sliced(const TensorLayout& layout, std::size_t axis, const IndexRange& range) {
  require_fixed_size(layout);
  require_axis(layout, axis, layout.shape.size());
  const std::int64_t step = range.step;
  if (step == 0) throw Error(ErrorCode::invalid_argument, "a slice with step 0: use 1 or more, or -1 to go backwards");
  const std::int64_t extent = layout.shape[axis];
  const bool forward = step > 0;
  const std::int64_t lowest = forward ? 0 : -1;
  const std::int64_t highest = forward ? extent : extent - 1;
  const std::int64_t begin = range.begin ? cut(*range.begin, extent, lowest, highest) : (forward ? lowest : highest);
  const std::int64_t end = range.end ? cut(*range.end, extent, lowest, highest) : (forward ? highest : lowest);

  std::int64_t count = 0;
  if (forward && begin < end) count = (end - begin - 1) / step + 1;
  if (!forward && end < begin) count = (end - begin + 1) / step + 1;

  // Where no second element is reached its way there may be too long to write, and does not matter.
  std::int64_t stride = layout.strides[axis];
  if (count > 1) stride *= step;
  LayoutView view{{layout.dtype, layout.shape.with(axis, count), layout.strides.with(axis, stride)}, 0};
  if (has_elements(view.layout.shape)) view.offset = bytes_to(layout, axis, begin);
  return view;
}

LayoutView selected(const TensorLayout& layout, std::size_t axis, std::int64_t index) {
  require_fixed_size(layout);
  require_axis(layout, axis, layout.shape.size());
  const std::int64_t extent = layout.shape[axis];
  if (index < -extent || index >= extent) {
    throw Error(ErrorCode::invalid_argument,
                "index " + std::to_string(index) + " of an axis of " + std::to_string(extent));
  }
  LayoutView view{{layout.dtype, layout.shape.without(axis), layout.strides.without(axis)}, 0};
  if (has_elements(view.layout.shape)) view.offset = bytes_to(layout, axis, index < 0 ? index + extent : index);
  return view;
}

TensorLayout transposed(const TensorLayout& layout, const std::optional<Dims>& axes) {
  require_fixed_size(layout);
  const std::size_t rank = layout.shape.size();
  std::array<std::int64_t, kMaxRank> shape{};
  std::array<std::int64_t, kMaxRank> strides{};
  std::array<bool, kMaxRank> taken{};
  if (axes && axes->size() != rank) {
    throw Error(ErrorCode::invalid_argument,
                "axes " + to_string(*axes) + " for a tensor of shape " + to_string(layout.shape));
  }
  for (std::size_t to = 0; to < rank; ++to) {
    const std::int64_t axis = axes ? (*axes)[to] : static_cast<std::int64_t>(rank - 1 - to);
    const std::int64_t from = axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis;
    if (from < 0 || from >= static_cast<std::int64_t>(rank) ||
        std::exchange(taken[static_cast<std::size_t>(from)], true)) {
      throw Error(ErrorCode::invalid_argument,
                  "axes " + to_string(*axes) + ": each of " + std::to_string(rank) + " axes must stand there once");
    }
    shape[to] = layout.shape[static_cast<std::size_t>(from)];
    strides[to] = layout.strides[static_cast<std::size_t>(from)];
  }
  return {layout.dtype, Dims(std::span(shape.data(), rank)), Dims(std::span(strides.data(), rank))};
}

TensorLayout broadcast(const TensorLayout& layout, const Dims& shape) {
  require_fixed_size(layout);
  const auto refuse = [&] {
    return Error(ErrorCode::invalid_tensor,
                 "shape " + to_string(layout.shape) + " cannot be repeated to " + to_string(shape));
  };
  if (shape.size() < layout.shape.size()) throw refuse();
  std::array<std::int64_t, kMaxRank> strides{};
  const std::size_t in_front = shape.size() - layout.shape.size();
  for (std::size_t axis = 0; axis < layout.shape.size(); ++axis) {
    const std::int64_t extent = layout.shape[axis];
    if (extent != shape[in_front + axis] && extent != 1) throw refuse();
    strides[in_front + axis] = extent == shape[in_front + axis] ? layout.strides[axis] : 0;
  }
  TensorLayout wide{layout.dtype, shape, Dims(std::span(strides.data(), shape.size()))};
  checked(wide);
  return wide;
}

TensorLayout expanded(const TensorLayout& layout, std::size_t axis) {
  require_axis(layout, axis, layout.shape.size() + 1);
  return {layout.dtype, layout.shape.with_inserted(axis, 1), layout.strides.with_inserted(axis, 0),
          layout.packed_bytes};
}

Dims resolved_shape(const Dims& shape, std::int64_t elements) {
  const auto refuse = [&](const std::string& why) {
    return Error(ErrorCode::invalid_tensor,
                 std::to_string(elements) + " elements cannot have shape " + to_string(shape) + ": " + why);
  };
  std::int64_t known = 1;
  std::optional<std::size_t> open;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == -1) {
      if (open) throw refuse("only one extent may be -1");
      open = axis;
    } else if (shape[axis] < 0) {
      throw refuse("an extent is negative");
    } else if (shape[axis] > 0 && __builtin_mul_overflow(known, shape[axis], &known)) {
      throw refuse("it has more elements than can be counted");
    }
  }
  if (!has_elements(shape)) known = 0;
  if (!open) {
    if (known != elements) throw refuse("that is another number of elements");
    return shape;
  }
  if (known == 0 || elements % known != 0) throw refuse("no extent for the -1 fits");
  return shape.with(*open, elements / known);
}

std::optional<TensorLayout> reshaped(const TensorLayout& layout, const Dims& shape) {
  if (!has_elements(layout.shape) || layout.dtype == DataType::bytes) {
    return TensorLayout{layout.dtype, shape, row_major_strides(shape), layout.packed_bytes};
  }

  // Axes that matter, outermost first.
  std::array<std::int64_t, kMaxRank> old_shape{};
  std::array<std::int64_t, kMaxRank> old_strides{};
  std::size_t old_rank = 0;
  for (std::size_t axis = 0; axis < layout.shape.size(); ++axis) {
    if (layout.shape[axis] == 1) continue;
    old_shape[old_rank] = layout.shape[axis];
    old_strides[old_rank++] = layout.strides[axis];
  }

  // Old axes [from, to) become new axes [new_from, new_to) of as many elements; the old ones must be one run for that.
  std::array<std::int64_t, kMaxRank> strides{};
  std::size_t from = 0;
  std::size_t new_from = 0;
  while (from < old_rank) {
    std::size_t to = from + 1;
    std::size_t new_to = new_from;
    std::int64_t old_count = old_shape[from];
    std::int64_t new_count = 1;
    do {
      if (new_count < old_count) {
        new_count *= shape[new_to++];
      } else {
        old_count *= old_shape[to++];
      }
    } while (new_count != old_count);
    for (std::size_t axis = from; axis + 1 < to; ++axis) {
      std::int64_t run = 0;
      if (__builtin_mul_overflow(old_shape[axis + 1], old_strides[axis + 1], &run)) return std::nullopt;
      if (old_strides[axis] != run) return std::nullopt;
    }
    // Strides of extents of 1 do not count, and could be too long to write.
    std::int64_t stride = old_strides[to - 1];
    std::int64_t steps = 1;
    for (std::size_t axis = new_to; axis-- > new_from;) {
      if (shape[axis] != 1) stride *= std::exchange(steps, shape[axis]);
      strides[axis] = stride;
    }
    from = to;
    new_from = new_to;
  }
  for (std::size_t axis = new_from; axis < shape.size(); ++axis) strides[axis] = 1;  // what is left has extent 1
  return TensorLayout{layout.dtype, shape, Dims(std::span(strides.data(), shape.size()))};
}

}  // namespace remotemedia

// SPDX-License-Identifier: Apache-2.0
//
// Views of a layout: other extents and strides over the same elements. Pure functions, which TensorBuffer applies to
// its memory.
//
// Errors:  invalid_argument for an axis that is not there, an index outside of it, a step of 0, axes that are no order;
//          where more can go wrong the function says so.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "remotemedia/base/export.h"
#include "remotemedia/tensor/dims.h"
#include "remotemedia/tensor/tensor_layout.h"

namespace remotemedia {

/// A part of an axis, as in Python: negative counts from the end, what is beyond is cut.
struct IndexRange {
  std::optional<std::int64_t> begin = std::nullopt;
  std::optional<std::int64_t> end = std::nullopt;
  std::int64_t step = 1;  ///< Not 0; negative goes backwards.
};

struct LayoutView {
  TensorLayout layout;
  std::int64_t offset = 0;  ///< Of its element 0 from the other's, in bytes. 0 where there is no element.
};

REMOTEMEDIA_API LayoutView sliced(const TensorLayout& layout, std::size_t axis, const IndexRange& range);

/// One index of an axis, without the axis; a negative one counts from the end.
REMOTEMEDIA_API LayoutView selected(const TensorLayout& layout, std::size_t axis, std::int64_t index);

/// The axes in another order; reversed where none is given.
REMOTEMEDIA_API TensorLayout transposed(const TensorLayout& layout, const std::optional<Dims>& axes);

/// Extents of 1, and axes that are missing in front, repeated with stride 0.
///
/// Errors:  invalid_tensor where the shapes do not fit.
REMOTEMEDIA_API TensorLayout broadcast(const TensorLayout& layout, const Dims& shape);

/// An axis of extent 1 before `axis`, or behind the last.
REMOTEMEDIA_API TensorLayout expanded(const TensorLayout& layout, std::size_t axis);

/// `shape` with its one -1, if there is one, replaced by what `elements` leave.
///
/// Errors:  invalid_tensor if there are more, or another number of elements.
REMOTEMEDIA_API Dims resolved_shape(const Dims& shape, std::int64_t elements);

/// The same elements in the same row-major order under other extents; nothing where only a copy could do it. `shape`
/// has as many elements as `layout`.
REMOTEMEDIA_API std::optional<TensorLayout> reshaped(const TensorLayout& layout, const Dims& shape);

}  // namespace remotemedia

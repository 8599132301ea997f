// SPDX-License-Identifier: Apache-2.0
//
// What the sizes of a layout are, in numbers without end.

#pragma once

#include <cstdint>
#include <span>

#include "remotemedia/tensor/tensor_layout.h"
#include "tensor/wide.h"

namespace remotemedia::testing {

struct ModelledSize {
  bool negative_extent = false;
  bool too_many_elements = false;
  bool strides_too_large = false;
  Wide dense = 0;  ///< Bytes of all elements.
  Wide begin = 0;
  Wide end = 0;

  bool sound() const { return !negative_extent && !too_many_elements && !strides_too_large; }
};

inline ModelledSize modelled_size(std::span<const std::int64_t> shape, std::span<const std::int64_t> strides,
                                  std::int64_t itemsize) {
  ModelledSize size;
  Wide count_without_zeros = itemsize;
  bool empty = false;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const std::int64_t extent = shape[axis];
    const Wide step = Wide(strides[axis]) * itemsize;
    size.negative_extent |= extent < 0;
    size.strides_too_large |= !step.fits_64();
    empty |= extent == 0;
    if (extent > 0) {
      count_without_zeros = count_without_zeros * extent;
      const Wide way = step * (extent - 1);
      (way.negative() ? size.begin : size.end) = (way.negative() ? size.begin : size.end) + way;
    }
  }
  size.end = size.end + Wide(itemsize);
  size.too_many_elements = !count_without_zeros.fits_64();
  size.strides_too_large |= !size.begin.fits_64() || !(size.end - size.begin).fits_64();
  size.dense = count_without_zeros;
  if (empty) size.dense = size.begin = size.end = 0;
  return size;
}

}  // namespace remotemedia::testing

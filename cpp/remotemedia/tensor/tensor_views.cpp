// SPDX-License-Identifier: Apache-2.0

#include <string>

#include "remotemedia/base/error.h"
#include "remotemedia/tensor/layout_views.h"
#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia {

TensorBuffer TensorBuffer::view(const LayoutView& view) const {
  return {MemoryBlock(block_), data_ + view.offset, TensorLayout(view.layout), device_, read_only_};
}

TensorBuffer TensorBuffer::slice(std::size_t axis, Range range) const {
  check_present();
  return view(sliced(layout_, axis, range));
}

TensorBuffer TensorBuffer::select(std::size_t axis, std::int64_t index) const {
  check_present();
  return view(selected(layout_, axis, index));
}

TensorBuffer TensorBuffer::transpose(const std::optional<Dims>& axes) const {
  check_present();
  return view({transposed(layout_, axes), 0});
}

TensorBuffer TensorBuffer::broadcast_to(const Dims& shape) const {
  check_present();
  TensorBuffer wide = view({broadcast(layout_, shape), 0});
  wide.read_only_ = true;
  return wide;
}

TensorBuffer TensorBuffer::expand_dims(std::size_t axis) const {
  check_present();
  return view({expanded(layout_, axis), 0});
}

TensorBuffer TensorBuffer::reshape(const Dims& shape) const {
  check_present();
  const Dims wanted = resolved_shape(shape, static_cast<std::int64_t>(element_count()));
  const std::optional<TensorLayout> layout = reshaped(layout_, wanted);
  if (!layout) {
    throw Error(ErrorCode::zero_copy_unavailable, "a tensor of shape " + to_string(this->shape()) + " with strides " +
                                                      to_string(strides()) + " as shape " + to_string(wanted) +
                                                      ": only a copy could have it, copy().reshape() makes one");
  }
  checked(*layout);
  return view({*layout, 0});
}

}  // namespace remotemedia

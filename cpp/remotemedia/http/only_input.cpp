// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/http/only_input.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/oip/raw_tensor.h"
#include "remotemedia/tensor/packed_bytes.h"

namespace remotemedia::detail {
namespace {

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::invalid_tensor, "a body without JSON is a model's only input: " + why);
}

/// Of the signature, with the open extent as large as the bytes make it.
std::vector<std::int64_t> shape_of(const TensorSpec& spec, std::size_t bytes) {
  std::vector<std::int64_t> shape(spec.shape.begin(), spec.shape.end());
  const auto open = std::ranges::find(shape, -1);
  if (open == shape.end()) return shape;
  if (std::ranges::count(shape, -1) > 1) refuse("'" + spec.name + "' may have any of several extents");
  *open = 1;
  const std::size_t row = element_count_of({spec.name, spec.dtype, shape}) * itemsize(spec.dtype);
  if (row > 0) *open = static_cast<std::int64_t>(bytes / row);
  return shape;
}

TensorBuffer one_element(const TensorSpec& spec, std::span<const std::byte> bytes) {
  const bool takes_one =
      std::ranges::all_of(spec.shape, [](std::int64_t extent) { return extent == -1 || extent == 1; });
  if (!takes_one) refuse("'" + spec.name + "' takes more than one element");
  const std::string_view element(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return pack_bytes(std::span(&element, 1), Dims(std::vector<std::int64_t>(spec.shape.size(), 1)));
}

}  // namespace

TensorMap only_input(const ModelSignature& signature, std::span<const std::byte> bytes,
                     std::shared_ptr<const void> owner) {
  if (signature.inputs.size() != 1) refuse("this one has " + std::to_string(signature.inputs.size()));
  const TensorSpec& spec = signature.inputs.front();
  TensorBuffer tensor;
  if (spec.dtype == DataType::bytes) {
    tensor = one_element(spec, bytes);
  } else {
    const std::vector<std::int64_t> shape = shape_of(spec, bytes.size());
    tensor = tensor_of_raw({spec.name, spec.dtype, shape}, bytes, std::move(owner));
  }
  return {{spec.name, signature.max_batch_size > 0 ? tensor.expand_dims(0) : tensor}};
}

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/typed_contents.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/tensor/packed_bytes.h"

namespace remotemedia::detail {
namespace {

[[noreturn]] void refuse(const AnnouncedTensor& tensor, const std::string& why) {
  throw Error(ErrorCode::invalid_tensor, "the tensor '" + std::string(tensor.name) + "' " + why);
}

int elements_in_all_fields(const inference::InferTensorContents& contents) {
  return contents.bool_contents_size() + contents.int_contents_size() + contents.int64_contents_size() +
         contents.uint_contents_size() + contents.uint64_contents_size() + contents.fp32_contents_size() +
         contents.fp64_contents_size() + contents.bytes_contents_size();
}

template <class Field>
std::size_t checked_count(const AnnouncedTensor& tensor, const Field& field) {
  const std::size_t count = element_count_of(tensor);
  if (static_cast<std::size_t>(field.size()) == count) return count;
  refuse(tensor, "has " + std::to_string(field.size()) + " elements in the field of its datatype instead of " +
                     std::to_string(count));
}

template <class Field>
TensorBuffer packed(const AnnouncedTensor& tensor, const Field& field) {
  checked_count(tensor, field);
  const std::vector<std::string_view> elements(field.begin(), field.end());
  return pack_bytes(elements, Dims(tensor.shape));
}

template <class Element, class Field>
TensorBuffer converted(const AnnouncedTensor& tensor, const Field& field) {
  const std::size_t count = checked_count(tensor, field);
  TensorBuffer made = TensorBuffer::allocate(Dims(tensor.shape), tensor.dtype);
  const std::span<Element> elements = made.span<Element>();
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = field.Get(static_cast<int>(i));
    elements[i] = static_cast<Element>(value);
    if constexpr (std::is_integral_v<Element>) {
      if (static_cast<decltype(value)>(elements[i]) == value) continue;
      refuse(tensor, "has the element " + std::to_string(value) + ", which is beyond its datatype");
    }
  }
  return made;
}

}  // namespace

TensorBuffer tensor_of_contents(const AnnouncedTensor& tensor, const inference::InferTensorContents& contents) {
  const auto all_from = [&](const auto& field) -> const auto& {
    if (elements_in_all_fields(contents) != field.size()) {
      refuse(tensor, "has elements in a field of another datatype");
    }
    return field;
  };
  switch (tensor.dtype) {
    case DataType::boolean:
      return converted<bool>(tensor, all_from(contents.bool_contents()));
    case DataType::int8:
      return converted<std::int8_t>(tensor, all_from(contents.int_contents()));
    case DataType::int16:
      return converted<std::int16_t>(tensor, all_from(contents.int_contents()));
    case DataType::int32:
      return converted<std::int32_t>(tensor, all_from(contents.int_contents()));
    case DataType::int64:
      return converted<std::int64_t>(tensor, all_from(contents.int64_contents()));
    case DataType::uint8:
      return converted<std::uint8_t>(tensor, all_from(contents.uint_contents()));
    case DataType::uint16:
      return converted<std::uint16_t>(tensor, all_from(contents.uint_contents()));
    case DataType::uint32:
      return converted<std::uint32_t>(tensor, all_from(contents.uint_contents()));
    case DataType::uint64:
      return converted<std::uint64_t>(tensor, all_from(contents.uint64_contents()));
    case DataType::float32:
      return converted<float>(tensor, all_from(contents.fp32_contents()));
    case DataType::float64:
      return converted<double>(tensor, all_from(contents.fp64_contents()));
    case DataType::bytes:
      return packed(tensor, all_from(contents.bytes_contents()));
    default:
      refuse(tensor, "of " + std::string(to_string(tensor.dtype)) + " must come in raw_input_contents");
  }
}

}  // namespace remotemedia::detail

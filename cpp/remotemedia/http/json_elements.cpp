// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/http/json_elements.h"

#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/oip/data_type_names.h"
#include "remotemedia/tensor/packed_bytes.h"

namespace remotemedia::detail {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(std::string_view name, const std::string& why) {
  throw Error(ErrorCode::invalid_tensor, "the tensor '" + std::string(name) + "' " + why);
}

/// Calls `work` with a value of the element's type.
template <class Work>
void with_element(DataType dtype, std::string_view name, Work&& work) {
  switch (dtype) {
    case DataType::boolean:
      return work(bool{});
    case DataType::int8:
      return work(std::int8_t{});
    case DataType::int16:
      return work(std::int16_t{});
    case DataType::int32:
      return work(std::int32_t{});
    case DataType::int64:
      return work(std::int64_t{});
    case DataType::uint8:
      return work(std::uint8_t{});
    case DataType::uint16:
      return work(std::uint16_t{});
    case DataType::uint32:
      return work(std::uint32_t{});
    case DataType::uint64:
      return work(std::uint64_t{});
    case DataType::float32:
      return work(float{});
    case DataType::float64:
      return work(double{});
    default:
      refuse(name, "is of " + std::string(to_string(dtype)) + ", which JSON has no elements of: use binary data");
  }
}

template <class Element>
Element element_of(std::string_view name, const json& value) {
  if constexpr (std::is_same_v<Element, std::string_view>) {
    if (value.is_string()) return value.get_ref<const std::string&>();
  } else if constexpr (std::is_same_v<Element, bool>) {
    if (value.is_boolean()) return value.get<bool>();
    if (value.is_number_unsigned() && value.get<std::uint64_t>() <= 1) return value.get<std::uint64_t>() == 1;
  } else if constexpr (std::floating_point<Element>) {
    if (value.is_number()) {
      const auto number = value.get<double>();
      if (std::abs(number) <= std::numeric_limits<Element>::max()) return static_cast<Element>(number);
    }
  } else {
    if (value.is_number_unsigned() && std::in_range<Element>(value.get<std::uint64_t>())) {
      return static_cast<Element>(value.get<std::uint64_t>());
    }
    if (value.is_number_integer() && !value.is_number_unsigned() && std::in_range<Element>(value.get<std::int64_t>())) {
      return static_cast<Element>(value.get<std::int64_t>());
    }
  }
  std::string shown = value.is_structured() ? "a list or an object" : value.dump(-1, ' ', true);
  shown.resize(std::min<std::size_t>(shown.size(), 40));
  refuse(name, "has the element " + shown + ", which is none of its datatype");
}

/// Fills `elements` from lists that are nested as deep as `extents` say, or from one flat one.
template <class Element>
void fill(std::string_view name, const json& data, std::span<const std::int64_t> extents, std::span<Element> elements) {
  if (!data.is_array()) refuse(name, "has data that is no list");
  const bool nested = !data.empty() && data.front().is_array();
  const std::size_t count = nested && !extents.empty() ? static_cast<std::size_t>(extents.front()) : elements.size();
  if (data.size() != count) {
    refuse(name, "has a list of " + std::to_string(data.size()) + " instead of " + std::to_string(count));
  }
  if (!nested) {
    for (std::size_t i = 0; i < count; ++i) elements[i] = element_of<Element>(name, data[i]);
    return;
  }
  if (extents.size() < 2) refuse(name, "has lists that are nested deeper than its shape");
  const std::size_t part = elements.size() / count;
  for (std::size_t i = 0; i < count; ++i) {
    fill(name, data[i], extents.subspan(1), elements.subspan(i * part, part));
  }
}

template <class Element>
void append(std::string& text, std::string_view name, Element element) {
  if constexpr (std::is_same_v<Element, bool>) {
    text += element ? "true" : "false";
  } else {
    if constexpr (std::floating_point<Element>) {
      if (!std::isfinite(element)) {
        refuse(name, "has an element that is no finite number, which JSON cannot say: ask for binary data");
      }
    }
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), element).ptr;
    text.append(digits.data(), end);
  }
}

void append_texts(std::string& text, std::string_view name, const std::vector<std::string_view>& elements) {
  text += '[';
  bool first = true;
  for (const std::string_view element : elements) {
    if (!std::exchange(first, false)) text += ',';
    try {
      text += json(element).dump();
    } catch (const json::exception&) {
      refuse(name, "has an element that is no UTF-8, which JSON cannot say: ask for binary data");
    }
  }
  text += ']';
}

}  // namespace

bool has_json_elements(DataType dtype) noexcept {
  return dtype != DataType::float16 && dtype != DataType::bfloat16 && oip_name(dtype) != to_string(dtype);
}

TensorBuffer tensor_of_json(const AnnouncedTensor& tensor, const json& data, std::size_t most_elements) {
  const std::size_t count = element_count_of(tensor);
  if (count > most_elements) refuse(tensor.name, "has less data than its shape says");
  if (tensor.dtype == DataType::bytes) {
    std::vector<std::string_view> elements(count);
    fill<std::string_view>(tensor.name, data, tensor.shape, elements);
    return pack_bytes(elements, Dims(tensor.shape));
  }
  TensorBuffer made;
  with_element(tensor.dtype, tensor.name, [&]<class Element>(Element /*of*/) {
    made = TensorBuffer::allocate(Dims(tensor.shape), tensor.dtype);
    fill<Element>(tensor.name, data, tensor.shape, made.span<Element>());
  });
  return made;
}

void append_elements(std::string& text, std::string_view name, const TensorBuffer& tensor) {
  if (tensor.dtype() == DataType::bytes) return append_texts(text, name, unpack_bytes(tensor));
  const TensorBuffer flat = tensor.is_contiguous() ? tensor : tensor.copy();
  with_element(tensor.dtype(), name, [&]<class Element>(Element /*of*/) {
    text += '[';
    bool first = true;
    for (const Element element : flat.span<const Element>()) {
      if (!std::exchange(first, false)) text += ',';
      append(text, name, element);
    }
    text += ']';
  });
}

}  // namespace remotemedia::detail

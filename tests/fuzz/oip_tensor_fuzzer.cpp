// SPDX-License-Identifier: Apache-2.0
//
// Whatever a stranger announces of a tensor, it is a tensor of exactly the bytes that came, or invalid_tensor; and
// whatever the parameters, they mean something or are invalid_argument.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fuzzed_bytes.h"
#include "remotemedia/base/error.h"
#include "remotemedia/oip/call_parameters.h"
#include "remotemedia/oip/data_type_names.h"
#include "remotemedia/oip/raw_tensor.h"
#include "remotemedia/tensor/packed_bytes.h"

using namespace remotemedia;

namespace {

constexpr std::array<std::string_view, 10> kNames{"BOOL", "UINT8", "INT16", "FP16",  "BF16",
                                                  "FP32", "INT64", "FP64",  "BYTES", "float8_e4m3fn"};

/// Mostly small, now and then any.
std::int64_t extent_of(testing::FuzzedBytes& input) {
  const auto small = input.take<std::int8_t>();
  return small == -2 ? input.take<std::int64_t>() : small;
}

std::optional<DataType> data_type_of(std::string_view name) {
  try {
    return detail::data_type_of_oip(name);
  } catch (const Error& error) {
    testing::require(error.code() == ErrorCode::invalid_tensor, "a datatype is refused with its code");
    return std::nullopt;
  }
}

/// Row by row they are the same as all at once.
void check_elements(const TensorBuffer& tensor, std::size_t count) {
  const std::vector<std::string_view> elements = unpack_bytes(tensor);
  testing::require(elements.size() == count, "it has as many elements as were counted");
  testing::require(pack_bytes(elements, tensor.shape()).to_bytes() == tensor.to_bytes(), "packed anew they are equal");
  if (tensor.shape().empty() || tensor.shape()[0] < 1 || tensor.shape()[0] > 1000) return;
  const std::vector<std::int64_t> rows(static_cast<std::size_t>(tensor.shape()[0]), 1);
  const std::vector<TensorBuffer> parts = detail::split_packed(tensor, rows);
  testing::require(detail::joined_packed(parts).to_bytes() == tensor.to_bytes(), "cut and joined they are equal");
}

void make_tensor(testing::FuzzedBytes& input) {
  const std::optional<DataType> dtype = data_type_of(kNames[input.take<std::uint8_t>() % kNames.size()]);
  if (!dtype) return;
  std::vector<std::int64_t> shape(input.take<std::uint8_t>() % 12);
  for (std::int64_t& extent : shape) extent = extent_of(input);
  const std::size_t skipped = input.take<std::uint8_t>() % 32;  // elements need not be aligned
  const auto kept = std::make_shared<const std::vector<std::byte>>(input.rest().begin(), input.rest().end());
  const std::span<const std::byte> bytes = std::span(*kept).subspan(std::min(skipped, kept->size()));
  try {
    const detail::AnnouncedTensor announced{"x", *dtype, shape};
    const std::size_t count = detail::element_count_of(announced);
    const TensorBuffer tensor = detail::tensor_of_raw(announced, bytes, kept);
    testing::require(tensor.nbytes() == bytes.size(), "all bytes are its elements");
    if (*dtype == DataType::bytes) return check_elements(tensor, count);
    testing::require(count * itemsize(*dtype) == bytes.size(), "it has as many elements as were counted");
    testing::require(std::ranges::equal(std::span(tensor.data(), tensor.nbytes()), bytes), "they are those that came");
  } catch (const Error& error) {
    testing::require(error.code() == ErrorCode::invalid_tensor, "a tensor is refused with its code");
  }
}

void read_parameters(testing::FuzzedBytes& input) {
  Parameters parameters;
  for (const char* name : {"sequence_id", "sequence_start", "sequence_end", "priority", "timeout", "own"}) {
    switch (input.take<std::uint8_t>() % 6) {
      case 0:
        parameters[name] = input.take<std::int64_t>();
        break;
      case 1:
        parameters[name] = input.take<std::uint8_t>() != 0;
        break;
      case 2:
        parameters[name] = input.take<double>();
        break;
      case 3:
        parameters[name] = std::string(input.take<std::uint8_t>(), 'x');
        break;
      default:
        break;
    }
  }
  try {
    const detail::CallParameters read = detail::call_parameters(parameters);
    testing::require(!read.timeout || *read.timeout >= Duration{0}, "a timeout is not before its call");
    testing::require(read.own.contains("own") == parameters.contains("own"), "the model's own are the model's");
  } catch (const Error& error) {
    testing::require(error.code() == ErrorCode::invalid_argument, "a parameter is refused with its code");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  testing::FuzzedBytes input(data, size);
  read_parameters(input);
  make_tensor(input);
  return 0;
}

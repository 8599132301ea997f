// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/data_type_names.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"

namespace remotemedia::detail {
namespace {

constexpr std::array<std::pair<std::string_view, DataType>, 14> kNames{{
    {"BOOL", DataType::boolean},
    {"UINT8", DataType::uint8},
    {"UINT16", DataType::uint16},
    {"UINT32", DataType::uint32},
    {"UINT64", DataType::uint64},
    {"INT8", DataType::int8},
    {"INT16", DataType::int16},
    {"INT32", DataType::int32},
    {"INT64", DataType::int64},
    {"FP16", DataType::float16},
    {"BF16", DataType::bfloat16},
    {"FP32", DataType::float32},
    {"FP64", DataType::float64},
    {"BYTES", DataType::bytes},
}};

}  // namespace

DataType data_type_of_oip(std::string_view name) {
  const auto* const found = std::ranges::find(kNames, name, &std::pair<std::string_view, DataType>::first);
  if (found != kNames.end()) return found->second;
  std::string known;
  for (const auto& [each, dtype] : kNames) known += (known.empty() ? "" : ", ") + std::string(each);
  throw Error(ErrorCode::invalid_tensor,
              "'" + std::string(name.substr(0, 40)) + "' is no datatype of the Open Inference Protocol: " + known);
}

std::string_view oip_name(DataType dtype) noexcept {
  const auto* const found = std::ranges::find(kNames, dtype, &std::pair<std::string_view, DataType>::second);
  return found != kNames.end() ? found->first : to_string(dtype);
}

std::string_view checked_oip_name(DataType dtype) {
  const std::string_view name = oip_name(dtype);
  if (name != to_string(dtype)) return name;
  throw Error(ErrorCode::invalid_tensor, "the Open Inference Protocol has no datatype for elements of " +
                                             std::string(to_string(dtype)) + ": give them as UINT8");
}

}  // namespace remotemedia::detail

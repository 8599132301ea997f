// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/tensor/data_type.h"

#include <algorithm>

namespace remotemedia {

std::optional<DataType> data_type_from_name(std::string_view name) noexcept {
  const auto* const found = std::ranges::find_if(
      kDataTypes, [&](const DataTypeInfo& info) { return info.name == name || info.short_name == name; });
  if (found == kDataTypes.end()) return std::nullopt;
  return found->type;
}

}  // namespace remotemedia

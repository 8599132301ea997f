// SPDX-License-Identifier: Apache-2.0
//
// A member of a JSON object that strangers wrote, where it lies: a copy of lists in lists goes as deep as they do.

#pragma once

#include <nlohmann/json.hpp>

namespace remotemedia::detail {

/// None where `object` is no object, or has no such member, or null.
inline const nlohmann::json* member(const nlohmann::json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

}  // namespace remotemedia::detail

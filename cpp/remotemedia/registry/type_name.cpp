// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/type_name.h"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>

namespace remotemedia::detail {

std::string type_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> readable(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  return readable ? readable.get() : type.name();
}

std::string type_mismatch_message(std::string_view key, const std::type_info& found, const std::type_info& asked) {
  return "model '" + std::string(key) + "' is a " + type_name(found) + ", asked for as a " + type_name(asked) +
         ": use another key for another type";
}

}  // namespace remotemedia::detail

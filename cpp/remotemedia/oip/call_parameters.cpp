// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/call_parameters.h"

#include <chrono>
#include <cstdint>
#include <limits>
#include <utility>
#include <variant>

#include "remotemedia/base/error.h"

namespace remotemedia::detail {
namespace {

constexpr std::int64_t kLowestPriority = 1 << 30;
constexpr std::int64_t kMostMicroseconds = std::numeric_limits<std::int64_t>::max() / 1000;

[[noreturn]] void refuse(const std::string& name, const std::string& wanted) {
  throw Error(ErrorCode::invalid_argument, "the parameter '" + name + "' must be " + wanted);
}

std::optional<Parameter> taken(Parameters& parameters, const std::string& name) {
  const auto found = parameters.find(name);
  if (found == parameters.end()) return std::nullopt;
  return std::move(parameters.extract(found).mapped());
}

std::int64_t number(Parameters& parameters, const std::string& name, std::int64_t most) {
  const std::optional<Parameter> given = taken(parameters, name);
  if (!given) return 0;
  const auto* const value = std::get_if<std::int64_t>(&*given);
  if (value == nullptr || *value < 0 || *value > most) refuse(name, "a whole number from 0 to " + std::to_string(most));
  return *value;
}

bool flag(Parameters& parameters, const std::string& name) {
  const std::optional<Parameter> given = taken(parameters, name);
  if (!given) return false;
  if (const auto* const value = std::get_if<bool>(&*given)) return *value;
  refuse(name, "true or false");
}

/// 0 and "" name none.
std::optional<std::string> session(Parameters& parameters) {
  const std::string name = "sequence_id";
  const std::optional<Parameter> given = taken(parameters, name);
  if (!given) return std::nullopt;
  std::string id;
  if (const auto* const text = std::get_if<std::string>(&*given)) {
    id = *text;
  } else if (const auto* const value = std::get_if<std::int64_t>(&*given)) {
    if (*value != 0) id = std::to_string(static_cast<std::uint64_t>(*value));
  } else {
    refuse(name, "a whole number or a text");
  }
  return id.empty() ? std::nullopt : std::optional(std::move(id));
}

}  // namespace

CallParameters call_parameters(Parameters parameters) {
  CallParameters found;
  found.session_id = session(parameters);
  found.begins_session = flag(parameters, "sequence_start");
  found.ends_session = flag(parameters, "sequence_end");
  if (!found.session_id && (found.begins_session || found.ends_session)) {
    refuse("sequence_id", "there, where 'sequence_start' or 'sequence_end' is");
  }
  if (const std::int64_t level = number(parameters, "priority", kLowestPriority - 1); level > 0) {
    found.priority = static_cast<int>(kLowestPriority - level);
  }
  if (const std::int64_t timeout = number(parameters, "timeout", kMostMicroseconds); timeout > 0) {
    found.timeout = std::chrono::microseconds{timeout};
  }
  found.own = std::move(parameters);
  return found;
}

}  // namespace remotemedia::detail

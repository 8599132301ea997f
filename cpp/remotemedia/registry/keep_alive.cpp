// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/keep_alive.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"

namespace remotemedia {
namespace {

constexpr double kLongestSeconds = 9.0e9;  // 285 years; a Duration ends at 292

[[noreturn]] void refuse(std::string_view text) {
  throw Error(ErrorCode::invalid_argument,
              "keep_alive '" + std::string(text) +
                  "' is no duration: write seconds (\"90\"), or numbers with the units ns, us, ms, s, m, h "
                  "(\"300ms\", \"5m\", \"1h30m\"); 0 is gone at once, negative never expires");
}

double take_number(std::string_view& rest, std::string_view whole) {
  // from_chars would also take "inf", "nan", a sign and an exponent: none of them is in the grammar.
  const std::size_t length = std::min(rest.find_first_not_of("0123456789."), rest.size());
  double value = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + length, value, std::chars_format::fixed);
  if (length == 0 || error != std::errc{} || end != rest.data() + length) refuse(whole);
  rest.remove_prefix(length);
  return value;
}

double take_unit(std::string_view& rest, std::string_view whole) {
  static constexpr std::array<std::pair<std::string_view, double>, 7> kUnits{
      {{"ns", 1e-9}, {"us", 1e-6}, {"\u00b5s", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}}};
  for (const auto& [unit, seconds] : kUnits) {
    const std::size_t after = unit.size();
    if (rest.starts_with(unit) &&
        (rest.size() == after || (rest[after] >= '0' && rest[after] <= '9') || rest[after] == '.')) {
      rest.remove_prefix(after);
      return seconds;
    }
  }
  refuse(whole);
}

}  // namespace

Duration keep_alive_from_seconds(double seconds) {
  if (!std::isfinite(seconds) || seconds > kLongestSeconds) refuse(std::to_string(seconds));
  if (seconds < 0) return kKeepForever;
  return Duration{std::llround(seconds * 1e9)};
}

Duration parse_keep_alive(std::string_view text) {
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  double seconds = take_number(rest, text);
  if (!rest.empty()) {
    seconds *= take_unit(rest, text);
    while (!rest.empty()) {
      const double number = take_number(rest, text);
      seconds += number * take_unit(rest, text);
    }
  }
  if (negative && seconds > 0) return kKeepForever;
  if (seconds > kLongestSeconds) refuse(text);
  return keep_alive_from_seconds(seconds);
}

}  // namespace remotemedia

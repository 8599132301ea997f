// SPDX-License-Identifier: Apache-2.0

#include "openvino_options.h"

#include <charconv>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace remotemedia::openvino_plugin {

namespace {

template <class Number>
Number number_of(const std::string& option, const std::string& text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) {
    throw std::invalid_argument("option " + option + ": '" + text + "' is no number that it can have");
  }
  return number;
}

}  // namespace

OpenvinoOptions read_options(const std::map<std::string, std::string>& options) {
  constexpr std::string_view kBatchAxis = "batch_axis.";
  constexpr std::string_view kFix = "fix.";
  OpenvinoOptions read;
  for (const auto& [name, value] : options) {
    if (name == "threads") {
      read.threads = number_of<std::size_t>(name, value);
    } else if (name == "cache_dir") {
      read.cache_dir = value;
    } else if (name.starts_with(kBatchAxis)) {
      read.batch_axes[name.substr(kBatchAxis.size())] = number_of<std::size_t>(name, value);
    } else if (name == "fixed_batches") {
      read.fixed_batches = number_of<std::size_t>(name, value);
    } else if (name.starts_with(kFix)) {
      read.fixed[name.substr(kFix.size())] = number_of<double>(name, value);
    } else {
      throw std::invalid_argument("there is no option '" + name +
                                  "'; there are threads, cache_dir, batch_axis.NAME, fixed_batches and fix.NAME");
    }
  }
  return read;
}

}  // namespace remotemedia::openvino_plugin

// SPDX-License-Identifier: Apache-2.0

#include "logging.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string_view>

#include "remotemedia/base/log.h"

namespace remotemedia::model_worker {

namespace {

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      break;
  }
  return spdlog::level::err;
}

/// What engines say has many.
std::string one_line(const std::string& text) {
  std::string line;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) line.append(line.empty() ? "" : " | ").append(text, at, end - at);
    at = end + 1;
  }
  return line;
}

}  // namespace

std::string json_text(const std::string& text) {
  std::string quoted = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') {
      quoted += '\\';
      quoted += letter;
    } else if (static_cast<unsigned char>(letter) < 0x20) {
      std::array<char, 8> code{};
      static_cast<void>(std::snprintf(code.data(), code.size(), "\\u%04x", static_cast<unsigned char>(letter)));
      quoted += code.data();
    } else {
      quoted += letter;
    }
  }
  return quoted + '"';
}

void start_log(LogFormat format, const std::string& level) {
  auto logger = std::make_shared<spdlog::logger>("remotemedia", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::debug);
  const bool json = format == LogFormat::json;
  logger->set_pattern(json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","message":%v})"
                           : "%Y-%m-%d %H:%M:%S.%e %l: %v");
  spdlog::set_default_logger(logger);
  set_log_sink([logger, json](LogLevel said, std::string_view message) {
    const std::string text(message);
    logger->log(level_of(said), json ? json_text(text) : one_line(text));
  });
}

}  // namespace remotemedia::model_worker

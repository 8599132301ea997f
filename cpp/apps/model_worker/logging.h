// SPDX-License-Identifier: Apache-2.0
//
// The program's log, on standard error: lines for people, or a JSON object each.

#pragma once

#include <string>

namespace remotemedia::model_worker {

enum class LogFormat { text, json };

/// From now on what the library and the program have to say is written. level: "debug", "info", "warning" or "error".
void start_log(LogFormat format, const std::string& level);

/// `text` as a JSON string, quotes included.
std::string json_text(const std::string& text);

}  // namespace remotemedia::model_worker

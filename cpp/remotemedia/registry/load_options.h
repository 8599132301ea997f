// SPDX-License-Identifier: Apache-2.0
//
// LoadOptions: what one call of get_or_load may say besides its key and loader.

#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "remotemedia/base/clock.h"

namespace remotemedia {

/// What a loader reported last.
struct LoadProgress {
  std::string key;
  std::optional<double> fraction;  ///< 0 to 1; nullopt: unknown.
  std::string message;
};

/// What a loader that takes a `const ReportProgress&` reports with.
using ReportProgress = std::function<void(std::optional<double> fraction, std::string_view message)>;

struct LoadOptions {
  /// What the model will take at most. Replaced by what the model itself says once it is loaded, if it has a
  /// `memory_usage()`. Zero: unknown, counts nothing.
  std::size_t memory_bytes = 0;

  /// How long the model stays after its last hold, for this model from now on. nullopt: the registry's ttl on
  /// a load, unchanged on a hit. Zero: gone at once. Negative: no time limit.
  std::optional<Duration> keep_alive = std::nullopt;

  /// How long this call waits. The load itself goes on; so with a timeout the loader runs on a thread of its
  /// own and must own what it uses, and so must `progress`, which may be under way when the call has returned.
  std::optional<Duration> timeout = std::nullopt;

  std::string device = "cpu";

  /// Called on the loader's thread with what it reports, also when another caller's loader runs; with what was
  /// reported last, on this thread, by who joins late. What it throws is logged.
  std::function<void(const LoadProgress&)> progress = {};

  /// Names this hold in ModelInfo::holders.
  std::string holder = {};
};

}  // namespace remotemedia

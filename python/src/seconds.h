// SPDX-License-Identifier: Apache-2.0
//
// Seconds of Python as durations.

#pragma once

#include <string_view>

#include "remotemedia/base/clock.h"

namespace remotemedia::python {

/// Of the argument `name`; the longest duration for what is longer.
///
/// Errors:  invalid_argument if it is negative or no number.
Duration duration_of(std::string_view name, double seconds);

}  // namespace remotemedia::python

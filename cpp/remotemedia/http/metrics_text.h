// SPDX-License-Identifier: Apache-2.0
//
// Metrics as Prometheus reads them (text format 0.0.4).

#pragma once

#include <string>

#include "remotemedia/oip/served_models.h"

namespace remotemedia::detail {

inline constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

/// One metric with HELP and TYPE, a sample for each model, with our names.
std::string metrics_text(const ServedModels& models);

/// What of it a Triton has, with its names.
std::string triton_metrics_text(const ServedModels& models);

}  // namespace remotemedia::detail

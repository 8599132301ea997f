// SPDX-License-Identifier: Apache-2.0
//
// What the protocol tells of models, in JSON.

#pragma once

#include <nlohmann/json_fwd.hpp>

#include "remotemedia/oip/served_models.h"

namespace remotemedia::detail {

nlohmann::json server_metadata();
nlohmann::json model_metadata(const ServedWorker& model);
nlohmann::json model_config(const ServedWorker& model);
nlohmann::json model_statistics(const ServedWorker& model);

/// The models there are, or the ready ones alone.
nlohmann::json repository_index(const ServedModels& models, bool only_ready);

}  // namespace remotemedia::detail

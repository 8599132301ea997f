// SPDX-License-Identifier: Apache-2.0
//
// What is said of a model that can be called, in one line.

#pragma once

#include <string>
#include <vector>

namespace remotemedia::model_worker {

std::string ready_text(const std::vector<std::string>& endpoints);
std::string ready_json(const std::string& model_id, const std::vector<std::string>& endpoints);

}  // namespace remotemedia::model_worker

// SPDX-License-Identifier: Apache-2.0

#include "ready.h"

#include "logging.h"

namespace remotemedia::model_worker {

std::string ready_text(const std::vector<std::string>& endpoints) {
  std::string text = "ready";
  for (const std::string& endpoint : endpoints) text += ' ' + endpoint;
  return text;
}

std::string ready_json(const std::string& model_id, const std::vector<std::string>& endpoints) {
  std::string text = R"({"event":"ready","model":)";
  text += json_text(model_id);
  text += R"(,"endpoints":[)";
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    if (i > 0) text += ',';
    text += json_text(endpoints[i]);
  }
  return text += "]}";
}

}  // namespace remotemedia::model_worker

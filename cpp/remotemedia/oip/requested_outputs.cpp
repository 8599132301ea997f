// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/requested_outputs.h"

#include <algorithm>
#include <set>

#include "remotemedia/base/error.h"

namespace remotemedia::detail {

namespace {

[[noreturn]] void refuse(const std::string& name, const std::string& model_id, const char* why) {
  throw Error(ErrorCode::invalid_argument, "the output '" + name + "' of the model '" + model_id + "' " + why);
}

}  // namespace

void check_requested(const std::vector<std::string>& requested, const ModelSignature& signature,
                     const std::string& model_id) {
  std::set<std::string_view> seen;
  for (const std::string& name : requested) {
    if (!seen.insert(name).second) refuse(name, model_id, "is requested twice");
    if (!signature.declares_tensors()) continue;
    const bool declared = std::ranges::find(signature.outputs, name, &TensorSpec::name) != signature.outputs.end();
    if (!declared) refuse(name, model_id, "is none that it has");
  }
}

std::vector<std::pair<std::string, TensorBuffer>> in_requested_order(TensorMap outputs,
                                                                     const std::vector<std::string>& requested,
                                                                     const ModelSignature& signature) {
  std::vector<std::pair<std::string, TensorBuffer>> ordered;
  ordered.reserve(outputs.size());
  const auto take = [&](const std::string& name) {
    const auto found = outputs.find(name);
    if (found == outputs.end()) throw Error(ErrorCode::invalid_argument, "the model gave no output '" + name + "'");
    ordered.emplace_back(name, std::move(found->second));
    outputs.erase(found);
  };
  if (!requested.empty()) {
    for (const std::string& name : requested) take(name);
    return ordered;
  }
  for (const TensorSpec& spec : signature.outputs) take(spec.name);
  while (!outputs.empty()) take(std::string(outputs.begin()->first));
  return ordered;
}

}  // namespace remotemedia::detail

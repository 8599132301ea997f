// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/model_signature.h"

#include <algorithm>
#include <set>

#include "remotemedia/base/error.h"

namespace remotemedia {
namespace {

void check_specs(const std::vector<TensorSpec>& specs, const char* role, const std::string& model_id) {
  std::set<std::string_view> names;
  for (const TensorSpec& spec : specs) {
    const std::string where = "model '" + model_id + "': its " + role + " '" + spec.name + "' ";
    if (spec.name.empty()) {
      throw Error(ErrorCode::invalid_argument, "model '" + model_id + "': one of its " + role + "s has no name");
    }
    if (!names.insert(spec.name).second) throw Error(ErrorCode::invalid_argument, where + "is declared twice");
    if (std::ranges::any_of(spec.shape, [](std::int64_t extent) { return extent < -1; })) {
      throw Error(ErrorCode::invalid_argument,
                  where + "has shape " + to_string(spec.shape) + ": an extent is 0 or more, or -1 where it may be any");
    }
  }
}

}  // namespace

void check_signature(const ModelSignature& signature, const std::string& model_id) {
  check_specs(signature.inputs, "input", model_id);
  check_specs(signature.outputs, "output", model_id);
  if (signature.max_batch_size < 0) {
    throw Error(ErrorCode::invalid_argument, "model '" + model_id + "': max_batch_size is " +
                                                 std::to_string(signature.max_batch_size) +
                                                 ", and must be 0 (does not batch) or more");
  }
}

}  // namespace remotemedia

// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/signature_check.h"

#include <algorithm>
#include <string>
#include <vector>

#include "remotemedia/base/error.h"

namespace remotemedia::detail {
namespace {

std::string extents(const Dims& shape, bool batched) {
  std::string text = batched ? "(batch" : "(";
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (axis > 0 || batched) text += ", ";
    text += shape[axis] < 0 ? "any" : std::to_string(shape[axis]);
  }
  return text + (shape.size() + (batched ? 1 : 0) == 1 ? ",)" : ")");
}

std::string kind(const TensorSpec& spec, bool batched) {
  return std::string(to_string(spec.dtype)) + " " + extents(spec.shape, batched);
}

std::string kind(const TensorBuffer& tensor) {
  if (!tensor) return "an empty TensorBuffer";
  return std::string(to_string(tensor.dtype())) + " " + to_string(tensor.shape());
}

bool matches(const TensorSpec& spec, const TensorBuffer& tensor, bool batched) {
  const std::size_t skipped = batched ? 1 : 0;
  if (tensor.dtype() != spec.dtype || tensor.shape().size() != spec.shape.size() + skipped) return false;
  for (std::size_t axis = 0; axis < spec.shape.size(); ++axis) {
    if (spec.shape[axis] >= 0 && tensor.shape()[axis + skipped] != spec.shape[axis]) return false;
  }
  return true;
}

template <class Names>
std::string listed(const Names& names, std::string (*name_of)(typename Names::const_reference)) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "'" : ", '") + name_of(name) + "'";
  return text.empty() ? "none" : text;
}

std::string names_of(const std::vector<TensorSpec>& specs) {
  return listed(
      specs, +[](const TensorSpec& spec) { return spec.name; });
}

std::string names_of(const TensorMap& tensors) {
  return listed(
      tensors, +[](const TensorMap::value_type& named) { return named.first; });
}

bool all_match(const std::vector<TensorSpec>& specs, const TensorMap& tensors, bool batched) {
  if (tensors.size() != specs.size()) return false;
  TensorFinder finder(tensors);
  return std::ranges::all_of(specs, [&](const TensorSpec& spec) {
    const TensorBuffer* const found = finder.find(spec.name);
    return found != nullptr && *found && matches(spec, *found, batched);
  });
}

// What is wrong with the names and kinds of those that do not match, after "model 'm' ".
std::string difference(const std::vector<TensorSpec>& specs, const TensorMap& tensors, bool batched, const char* verb,
                       const char* role) {
  for (const TensorSpec& spec : specs) {
    const auto found = tensors.find(spec.name);
    if (found == tensors.end()) {
      return std::string(verb) + " " + role + " '" + spec.name + "', " + kind(spec, batched) +
             ", which is not there: found " + names_of(tensors);
    }
    if (!found->second || !matches(spec, found->second, batched)) {
      return std::string(verb) + " " + role + " '" + spec.name + "' as " + kind(spec, batched) + ", found " +
             kind(found->second);
    }
  }
  const std::string others = specs.empty() ? "s" : " but " + names_of(specs);
  return std::string("has no ") + role + others + ": found " + names_of(tensors);
}

// Rows that all tensors agree on, or what is wrong.
struct Rows {
  std::int64_t count = 1;
  std::string difference;
};

Rows rows_of(const TensorMap& tensors, const char* role) {
  if (tensors.empty()) return {};
  const auto rows = [](const TensorMap::value_type& named) { return named.second.shape()[0]; };
  const auto& first = *tensors.begin();
  const auto other = std::ranges::find_if(tensors, [&](const auto& named) { return rows(named) != rows(first); });
  if (other == tensors.end()) return {rows(first), {}};
  return {0, std::string(role) + " '" + other->first + "' has " + std::to_string(rows(*other)) + " rows, and '" +
                 first.first + "' has " + std::to_string(rows(first))};
}

std::string model(const SignatureOf& of) { return "model '" + std::string(of.model_id) + "' "; }

}  // namespace

std::int64_t check_inputs(const SignatureOf& of, const TensorMap& inputs) {
  if (!of.signature.declares_tensors()) {
    for (const auto& [name, tensor] : inputs) {
      if (!tensor) throw Error(ErrorCode::invalid_tensor, model(of) + "got an empty TensorBuffer as '" + name + "'");
    }
    return 1;
  }
  const bool batched = of.max_batch_size > 0;
  if (!all_match(of.signature.inputs, inputs, batched)) {
    throw Error(ErrorCode::invalid_tensor,
                model(of) + difference(of.signature.inputs, inputs, batched, "takes", "input"));
  }
  if (!batched) return 1;
  const Rows rows = rows_of(inputs, "input");
  if (!rows.difference.empty()) throw Error(ErrorCode::invalid_tensor, model(of) + "batches: " + rows.difference);
  if (rows.count < 1 || rows.count > of.max_batch_size) {
    throw Error(ErrorCode::invalid_tensor, model(of) + "takes 1 to " + std::to_string(of.max_batch_size) +
                                               " rows in a call, found " + std::to_string(rows.count));
  }
  return rows.count;
}

void check_outputs(const SignatureOf& of, const TensorMap& outputs, std::int64_t rows) {
  if (!of.signature.declares_tensors()) {
    for (const auto& [name, tensor] : outputs) {
      if (!tensor) throw Error(ErrorCode::inference_failed, model(of) + "gave an empty TensorBuffer as '" + name + "'");
    }
    return;
  }
  const bool batched = of.max_batch_size > 0;
  if (!all_match(of.signature.outputs, outputs, batched)) {
    throw Error(ErrorCode::inference_failed,
                model(of) + difference(of.signature.outputs, outputs, batched, "declares", "output"));
  }
  if (!batched || outputs.empty()) return;
  const Rows given = rows_of(outputs, "output");
  if (!given.difference.empty()) throw Error(ErrorCode::inference_failed, model(of) + "batches: " + given.difference);
  if (given.count != rows) {
    throw Error(ErrorCode::inference_failed,
                model(of) + "got " + std::to_string(rows) + " rows and gave " + std::to_string(given.count));
  }
}

}  // namespace remotemedia::detail

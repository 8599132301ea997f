// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/batch.h"

#include <utility>
#include <vector>

#include "remotemedia/tensor/packed_bytes.h"

namespace remotemedia::detail {
namespace {

TensorBuffer joined(std::span<const RequestPtr> requests, std::string_view name, std::int64_t rows) {
  const TensorBuffer& first = requests.front()->call.inputs.find(name)->second;
  if (first.dtype() == DataType::bytes) {
    std::vector<TensorBuffer> parts;
    for (const RequestPtr& request : requests) parts.push_back(request->call.inputs.find(name)->second);
    return joined_packed(parts).as_read_only();
  }
  TensorBuffer whole = TensorBuffer::allocate(first.shape().with(0, rows), first.dtype());
  std::int64_t row = 0;
  for (const RequestPtr& request : requests) {
    const TensorBuffer& part = request->call.inputs.find(name)->second;
    whole.slice(0, {.begin = row, .end = row + request->rows}).assign(part);
    row += request->rows;
  }
  return whole.as_read_only();
}

std::vector<TensorBuffer> split(const TensorBuffer& tensor, std::span<const std::int64_t> rows) {
  std::vector<TensorBuffer> parts;
  std::int64_t begin = 0;
  for (const std::int64_t count : rows) {
    parts.push_back(tensor.slice(0, {.begin = begin, .end = begin + count}));
    begin += count;
  }
  return parts;
}

TensorMap taken_inputs(Request& request) {
  TensorMap inputs = std::move(request.call.inputs);
  for (auto& [name, tensor] : inputs) {
    if (is_copied_for_the_model(tensor)) tensor = tensor.copy();
    if (tensor.dtype() == DataType::bytes) check_packed(tensor);
    if (!tensor.read_only()) tensor = tensor.as_read_only();
  }
  return inputs;
}

}  // namespace

bool is_copied_for_the_model(const TensorBuffer& input) noexcept {
  if (input.storage() != StorageKind::shared_memory) return false;
  switch (input.dtype()) {
    case DataType::boolean:
    case DataType::int8:
    case DataType::int16:
    case DataType::int32:
    case DataType::int64:
    case DataType::uint16:
    case DataType::uint32:
    case DataType::uint64:
    case DataType::bytes:
      return true;
    default:
      return false;
  }
}

TensorMap joined_inputs(std::span<const RequestPtr> requests) {
  if (requests.size() == 1) return taken_inputs(*requests.front());
  TensorMap inputs;
  const Request& first = *requests.front();
  std::int64_t rows = 0;
  for (const RequestPtr& request : requests) rows += request->rows;
  for (const auto& [name, tensor] : first.call.inputs) {
    inputs.emplace(name, joined(requests, name, rows));
  }
  return inputs;
}

std::vector<TensorMap> split_outputs(const TensorMap& outputs, std::span<const RequestPtr> requests) {
  if (requests.size() == 1) return {outputs};
  std::vector<std::int64_t> rows;
  for (const RequestPtr& request : requests) rows.push_back(request->rows);
  std::vector<TensorMap> parts(requests.size());
  for (const auto& [name, tensor] : outputs) {
    std::vector<TensorBuffer> cut =
        tensor.dtype() == DataType::bytes ? split_packed(tensor, rows) : split(tensor, rows);
    for (std::size_t i = 0; i < parts.size(); ++i) parts[i].emplace(name, std::move(cut[i]));
  }
  return parts;
}

}  // namespace remotemedia::detail

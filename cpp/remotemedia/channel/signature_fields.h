// SPDX-License-Identifier: Apache-2.0
//
// The fields of a ModelSignature, and what it shares with tensors of a call: data types and extents.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "remotemedia/channel/message_limits.h"
#include "remotemedia/tensor/data_type.h"
#include "remotemedia/tensor/dims.h"
#include "remotemedia/worker/model_signature.h"

namespace remotemedia::detail {

/// DLPack's code and bits; `bytes`, which DLPack has not, is 0 and 0.
template <class Io, class Type>
void data_type(Io& io, Type& dtype) {
  std::uint8_t code = info_of(dtype).dlpack_code;
  std::uint8_t bits = info_of(dtype).dlpack_bits;
  io.number("dtype_code", code);
  io.number("dtype_bits", bits);
  if constexpr (Io::kReads) {
    const bool is_bytes = code == 0 && bits == 0;
    const std::optional<DataType> found = is_bytes ? DataType::bytes : data_type_from_dlpack(code, bits);
    if (!found) io.refuse("dtype_code", "a type with its bits", std::to_string(code) + ", " + std::to_string(bits));
    dtype = *found;
  }
}

/// A rank and as many extents, each at least `least`.
template <class Io, class Shape>
void shape_of(Io& io, Shape& shape, std::int64_t least) {
  auto rank = static_cast<std::uint8_t>(shape.size());
  io.number("rank", rank, std::uint8_t{0}, std::uint8_t{kMaxRank});
  std::array<std::int64_t, kMaxRank> extents{};
  const auto used = std::span(extents).first(rank);
  if constexpr (!Io::kReads) std::ranges::copy(shape, used.begin());
  for (std::int64_t& extent : used) io.number("extent", extent, least);
  if constexpr (Io::kReads) shape = Dims(used);
}

template <class Io, class Specs>
void tensor_specs(Io& io, std::string_view field, std::string_view item, Specs& specs) {
  io.list(field, item, specs, 0, kMaxTensors, [&io](auto& spec) {
    io.text("name", spec.name, 1, kMaxNameBytes);
    data_type(io, spec.dtype);
    shape_of(io, spec.shape, -1);
  });
  std::set<std::string_view> names;
  for (const TensorSpec& spec : specs) io.require(names.insert(spec.name).second, field, "of different names", "not");
}

template <class Io, class Signature>
void signature_fields(Io& io, Signature& signature) {
  tensor_specs(io, "inputs", "input", signature.inputs);
  tensor_specs(io, "outputs", "output", signature.outputs);
  io.number("signature.max_batch_size", signature.max_batch_size, std::int64_t{0});
  io.flag("stateful", signature.stateful);
}

}  // namespace remotemedia::detail

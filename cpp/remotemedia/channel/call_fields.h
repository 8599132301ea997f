// SPDX-License-Identifier: Apache-2.0
//
// The fields of call_messages.h, in their order.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "remotemedia/channel/call_messages.h"
#include "remotemedia/channel/message_codes.h"
#include "remotemedia/channel/message_fields.h"
#include "remotemedia/channel/message_limits.h"
#include "remotemedia/channel/protocol_version.h"
#include "remotemedia/channel/signature_fields.h"
#include "remotemedia/worker/trace_context.h"

namespace remotemedia::detail {

inline constexpr Codes<BytesIn, 3> kBytesInCodes{{{
    {BytesIn::message, 1},
    {BytesIn::record, 2},
    {BytesIn::chunks, 3},
}}};

/// Which alternative a variant has, from 1.
template <class Io, class Variant>
void alternative(Io& io, std::string_view field, Variant& value) {
  constexpr std::size_t kAlternatives = std::variant_size_v<std::remove_const_t<Variant>>;
  auto index = static_cast<std::uint8_t>(value.index() + 1);
  io.number(field, index, std::uint8_t{1}, static_cast<std::uint8_t>(kAlternatives));
  if constexpr (Io::kReads) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((index == I + 1 ? static_cast<void>(value.template emplace<I>()) : void()), ...);
    }
    (std::make_index_sequence<kAlternatives>());
  }
}

template <class Io>
struct ValueFields {
  Io& io;

  template <AnyConst<bool> T>
  void operator()(T& value) const {
    io.flag("value", value);
  }
  template <AnyConst<std::int64_t> T>
  void operator()(T& value) const {
    io.number("value", value);
  }
  template <AnyConst<double> T>
  void operator()(T& value) const {
    io.real("value", value);
  }
  template <AnyConst<std::string> T>
  void operator()(T& value) const {
    io.text("value", value, 0, kMaxTextBytes);
  }
};

template <class Io, class Name, class Value>
void parameter_fields(Io& io, Name& name, Value& value) {
  io.text("name", name, 0, kMaxNameBytes);
  alternative(io, "kind", value);
  std::visit(ValueFields<Io>{io}, value);
}

/// In the order of their names.
template <class Io, class Map>
void parameters_of(Io& io, Map& parameters) {
  std::size_t count = parameters.size();
  io.count("parameters", count, 0, kMaxParameters);
  if constexpr (Io::kReads) {
    for (std::size_t i = 0; i < count; ++i) {
      io.item("parameter", i, [&] {
        std::string name;
        Parameter value;
        parameter_fields(io, name, value);
        const bool in_order = parameters.empty() || parameters.rbegin()->first < name;
        io.require(in_order, "name", "behind the one before it", "not");
        parameters.emplace_hint(parameters.end(), std::move(name), std::move(value));
      });
    }
  } else {
    std::size_t i = 0;
    for (const auto& parameter : parameters) {
      io.item("parameter", i++, [&] { parameter_fields(io, parameter.first, parameter.second); });
    }
  }
}

template <class Io, class Key>
void tensor_key(Io& io, Key& key) {
  alternative(io, "key", key);
  if (auto* const number = std::get_if<std::uint32_t>(&key)) {
    io.number("number", *number, std::uint32_t{0}, std::uint32_t{kMaxTensors - 1});
  } else {
    io.text("name", *std::get_if<std::string>(&key), 0, kMaxNameBytes);
  }
}

template <class Io, class Tensor>
void tensor_fields(Io& io, Tensor& tensor) {
  tensor_key(io, tensor.key);
  data_type(io, tensor.dtype);
  shape_of(io, tensor.shape, 0);
  const LayoutSize size = dense_size(tensor);
  io.require(size.fault == LayoutFault::none, "extents", "few enough to be counted in bytes", "not");

  io.code("bytes_in", tensor.bytes_in, kBytesInCodes);
  auto nbytes = static_cast<std::uint64_t>(size.nbytes);
  io.number("nbytes", nbytes);
  if (tensor.dtype == DataType::bytes) {
    const std::uint64_t least = static_cast<std::uint64_t>(size.elements) * kPackedLengthBytes;
    io.require_within("nbytes", nbytes, least, least == 0 ? 0 : kMaxCounted);
    if constexpr (Io::kReads) tensor.packed_bytes = nbytes;
  } else {
    const auto dense = static_cast<std::uint64_t>(size.nbytes);
    io.require(nbytes == dense, "nbytes", std::to_string(dense) + " for its type and shape", std::to_string(nbytes));
  }
  const bool is_chunked = tensor.bytes_in == BytesIn::chunks;
  io.require(!is_chunked || nbytes > 0, "nbytes", "above 0 in chunks", "0");
  const bool is_here = tensor.bytes_in == BytesIn::message;
  if (is_here) io.require_within("nbytes", nbytes, std::uint64_t{0}, std::uint64_t{kMaxInlineBytes});
  io.bytes("bytes", tensor.bytes, is_here ? static_cast<std::size_t>(nbytes) : 0);
}

/// All by number or all by name, ascending, and together few enough to be counted.
template <class Io, class Tensors>
void tensors_of(Io& io, Tensors& tensors) {
  const TensorKey* before = nullptr;
  std::uint64_t bytes = 0;
  io.list("tensors", "tensor", tensors, 0, kMaxTensors, [&](auto& tensor) {
    tensor_fields(io, tensor);
    if (before != nullptr) {
      io.require(before->index() == tensor.key.index(), "key", "of one kind with the one before it", "not");
      io.require(*before < tensor.key, "key", "behind the one before it", "not");
    }
    before = &tensor.key;
    bytes += static_cast<std::uint64_t>(dense_size(tensor).nbytes);
    io.require(bytes <= kMaxCounted, "nbytes", "with those before at most " + std::to_string(kMaxCounted), "more");
  });
}

/// A u64 of nanoseconds; all ones for none.
template <class Io, class Time>
void time_left(Io& io, Time& time) {
  constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t nanoseconds = time ? static_cast<std::uint64_t>(time->count()) : kNone;
  if (time) io.require_within("time_left", nanoseconds, std::uint64_t{0}, kMaxCounted);
  io.number("time_left", nanoseconds);
  if constexpr (Io::kReads) {
    time.reset();
    if (nanoseconds == kNone) return;
    io.require_within("time_left", nanoseconds, std::uint64_t{0}, kMaxCounted);
    time = Duration(static_cast<std::int64_t>(nanoseconds));
  }
}

template <class Io, class Session>
void session_of(Io& io, Session& session_id) {
  bool is_there = session_id.has_value();
  io.flag("has_session", is_there);
  if constexpr (Io::kReads) session_id = is_there ? std::optional(std::string()) : std::nullopt;
  if (session_id) io.text("session_id", *session_id, 0, kMaxNameBytes);
}

template <class Io, AnyConst<CallMessage> M>
void fields(Io& io, M& message) {
  io.number("priority", message.priority);
  time_left(io, message.time_left);
  io.flag("stream", message.stream);
  session_of(io, message.session_id);
  parameters_of(io, message.parameters);
  tensors_of(io, message.tensors);
  io.text("traceparent", message.traceparent, 0, kTraceparentBytes);
  io.text("tracestate", message.tracestate, 0, kMaxTracestateBytes);
}

template <class Io, AnyConst<ChunkMessage> M>
void fields(Io& io, M& message) {
  io.number("tensor", message.tensor, std::uint32_t{0}, std::uint32_t{kMaxTensors - 1});
  io.number("offset", message.offset, std::uint64_t{0}, kMaxCounted);
  std::size_t size = message.bytes.size();
  io.count("bytes", size, 1, kMaxChunkBytes);
  io.require(size <= kMaxCounted - message.offset, "bytes",
             "at most " + std::to_string(kMaxCounted - message.offset) + " behind this offset", std::to_string(size));
  io.bytes("bytes", message.bytes, size);
}

template <class Io, AnyConst<CancelMessage> M>
void fields(Io& /*io*/, M& /*message*/) {}

template <class Io, AnyConst<AnswersReadMessage> M>
void fields(Io& io, M& message) {
  io.number("count", message.count, std::uint32_t{1});
}

template <class Io, AnyConst<CloseSessionMessage> M>
void fields(Io& io, M& message) {
  io.text("session_id", message.session_id, 0, kMaxNameBytes);
}

template <class Io, AnyConst<AnswerMessage> M>
void fields(Io& io, M& message) {
  io.number("number", message.number);
  io.flag("last", message.last);
  tensors_of(io, message.tensors);
}

template <class Io, AnyConst<FailureMessage> M>
void fields(Io& io, M& message) {
  io.code("code", message.code, kErrorCodes);
  io.free_text("text", message.text);
}

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0
//
// What both sides of a connection tell gRPC of the way between them.

#pragma once

#include <grpc/impl/codegen/grpc_types.h>

namespace remotemedia::detail {

/// set: takes the name of an argument and its number.
template <class SetInt>
void set_transfer_arguments(SetInt set) {
  // Ours are not compressed; those that others have compressed are read.
  set(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0);

  // Windows that large tensors do not wait for: of a call from its beginning, and of the connection as soon as gRPC has
  // found by pings what is worth it. Without these it stays at 64 KiB, after which each message would wait for more.
  set(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 16 << 20);
  set(GRPC_ARG_HTTP2_BDP_PROBE, 1);

  // Large tensors in few pieces, between which other calls have their turn.
  set(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, 1 << 20);
  set(GRPC_ARG_TCP_READ_CHUNK_SIZE, 4 << 20);
  set(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, 16 << 20);
}

}  // namespace remotemedia::detail

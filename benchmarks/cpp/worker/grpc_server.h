// SPDX-License-Identifier: Apache-2.0
//
// GrpcServer: gRPC at its best in a process of its own, which gives back what it gets. Raw bytes over a unix socket
// without TLS, nothing serialized; frames and reads as large as they may be, memory that malloc does not give back.

#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <string>

#include "peer.h"

namespace remotemedia::bench {

inline const std::string kGrpcMethod = "/bench/Call";

/// How the server hears of calls: by one thread that reads a completion queue, which is the quickest for one call at a
/// time, or by callbacks on gRPC's threads, which is the quickest for many. What comes in pieces goes back in pieces,
/// or in_one_piece, as whoever computes with it needs it. By looking: the thread never sleeps. Over handed sockets: by
/// a queue, and neither side's gRPC has made its socket itself, so they are as those of a worker.
enum class GrpcAnswers : std::uint8_t { by_queue, by_looking, in_one_piece, by_callbacks, over_handed_sockets };

/// Waits for the next event; looking, it never sleeps. False when there will be none.
bool next_event(grpc::CompletionQueue& queue, bool looking, void*& tag, bool& ok);

/// Copied together, unless it has come so.
grpc::ByteBuffer in_one_piece(const grpc::ByteBuffer& bytes);

class GrpcServer {
 public:
  explicit GrpcServer(GrpcAnswers answers);

  const Peer& peer() const noexcept { return peer_; }

  /// A connection that no other channel uses.
  std::shared_ptr<grpc::Channel> connect() const;

 private:
  Peer peer_;
  const bool handed_;
  std::string address_;
};

}  // namespace remotemedia::bench

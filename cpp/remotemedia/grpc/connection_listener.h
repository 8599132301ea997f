// SPDX-License-Identifier: Apache-2.0
//
// ConnectionListener: takes the connections of a server and hands them to gRPC, which would take as many as come and
// stop listening for ever where the process may open no more.

#pragma once

#include <grpcpp/server_builder.h>

#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/memory/not_inherited.h"
#include "remotemedia/platform/doorbell.h"
#include "remotemedia/platform/stream_listener.h"

namespace remotemedia::detail {

class ConnectionListener {
 public:
  using Acceptor = grpc::experimental::ExternalConnectionAcceptor;

  /// `acceptor`: of a server that has begun. It takes a connection when the first bytes have come; of those that say
  /// nothing the one that has waited longest goes where there are too many.
  ConnectionListener(platform::StreamListener listener, std::unique_ptr<Acceptor> acceptor);
  ConnectionListener(const ConnectionListener&) = delete;
  ConnectionListener& operator=(const ConnectionListener&) = delete;

  /// No others come. Those that are there stay.
  ~ConnectionListener();

 private:
  struct Silent {
    platform::OwnedHandle connection;
    TimePoint until;
  };
  /// One that gRPC has, and closes.
  struct HandedOver {
    platform::NativeHandle handle;
    std::uint64_t id;
  };

  void run();
  bool look();
  void take_callers(const platform::OwnedHandle& socket);
  bool make_room();
  void hand_over(platform::OwnedHandle connection);

  const std::size_t most_;
  NotInherited<platform::StreamListener> listener_;
  const std::unique_ptr<Acceptor> acceptor_;
  platform::Doorbell ending_;
  std::deque<Silent> silent_;  ///< In the order of their coming.
  std::vector<HandedOver> handed_over_;
  std::thread thread_;
};

}  // namespace remotemedia::detail

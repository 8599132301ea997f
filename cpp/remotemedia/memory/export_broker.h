// SPDX-License-Identifier: Apache-2.0
//
// ExportBroker: the thread of this process that hands its exports to importers. It sleeps until somebody connects, asks
// or dies, never waits for a peer, and lets go of everything that a connection held when that connection is gone.
//
// A peer can cost it one connection's worth of limits, and its own connection: what says nonsense, floods or does not
// read its answers is closed.

#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/memory/export_id.h"
#include "remotemedia/memory/importer_connection.h"
#include "remotemedia/memory/not_inherited.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/doorbell.h"

namespace remotemedia {

inline constexpr std::size_t kMaxImporterConnections = 256;
inline constexpr std::size_t kMaxConnectionsOfOneProcess = 8;

/// Never destroyed: its exports may outlive the end of main().
class ExportBroker {
 public:
  /// Starts this process's broker where none runs, and returns its name.
  ///
  /// Errors:  platform::OsError, with nothing left behind, and the next call tries again; shared_memory_unavailable
  /// while
  ///          the process ends.
  static BrokerName name_of_running();

  /// Has it look at the leases again. Nothing where no broker runs.
  static void look_at_leases() noexcept;

  /// Errors:  platform::OsError.
  ExportBroker();
  ExportBroker(const ExportBroker&) = delete;
  ExportBroker& operator=(const ExportBroker&) = delete;

  /// Ends the thread, and takes the address away. Holds stay: their memory goes with the process.
  void stop() noexcept;

 private:
  void run() noexcept;
  void serve_once();
  void accept_all() noexcept;
  bool has_room_for(const ImporterConnection& connection) const noexcept;

  BrokerName name_{};
  NotInherited<platform::ChannelListener> listener_;
  NotInherited<platform::Doorbell> doorbell_;
  std::atomic<bool> ending_{false};

  // Of the thread.
  std::vector<std::unique_ptr<ImporterConnection>> connections_;
  TimePoint accept_from_;

  std::thread thread_;
};

}  // namespace remotemedia

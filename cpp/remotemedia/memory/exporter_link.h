// SPDX-License-Identifier: Apache-2.0
//
// ExporterLink: this process's one connection to an exporter, and what is mapped of it. All blocks that were imported
// from there share it; the exporter keeps their memory as long as it is open.
//
//     std::shared_ptr<ExporterLink> link = ExporterLink::to(id.broker);
//     ExporterLink::Turn turn(*link, deadline);
//     std::optional<platform::Message> answer = turn.ask(request);
//
// One asks at a time. Answers carry the number of their request, so that one which comes too late is known as such:
// nobody takes it for his own, and what it holds is released.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/memory/export_id.h"
#include "remotemedia/memory/export_messages.h"
#include "remotemedia/memory/imported_segment.h"
#include "remotemedia/memory/not_inherited.h"
#include "remotemedia/platform/descriptor_channel.h"

namespace remotemedia {

/// Threads:  any.
class ExporterLink {
 public:
  /// The link to that broker, not connected yet if it is new.
  static std::shared_ptr<ExporterLink> to(const BrokerName& broker);

  explicit ExporterLink(const BrokerName& broker) noexcept : broker_(broker) {}
  ExporterLink(const ExporterLink&) = delete;
  ExporterLink& operator=(const ExporterLink&) = delete;
  ~ExporterLink();

  /// The time in which one thread asks, and nobody else.
  class Turn;

  /// Tells the exporter that a hold has ended; later, if its queue is full. Never waits.
  void release(std::uint64_t hold) noexcept;

 private:
  bool is_over() noexcept;
  void set_over() noexcept;
  bool send_release(std::uint64_t hold) noexcept REMOTEMEDIA_REQUIRES(mutex_);
  void send_releases() noexcept REMOTEMEDIA_REQUIRES(mutex_);

  const BrokerName broker_;
  NotInherited<platform::DescriptorChannel> channel_;  // made by the first turn, then constant

  Mutex mutex_;
  CondVar changed_;
  bool asking_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;   // somebody has the turn
  bool sending_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;  // whoever has the turn waits for room in the queue
  bool over_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;     // nothing more can be asked
  std::vector<std::uint64_t> unsent_releases_ REMOTEMEDIA_GUARDED_BY(mutex_);

  // Of whoever has the turn.
  std::uint64_t last_request_ = 0;
  std::set<std::uint64_t> unanswered_;  // requests, those included that were given up
  std::map<std::pair<Uuid, platform::Access>, std::weak_ptr<const ImportedSegment>> segments_;
};

class ExporterLink::Turn {
 public:
  /// Waits for the turn and connects if nobody has yet.
  ///
  /// Errors:  deadline_exceeded; shared_memory_unavailable if nobody listens there, or another user; platform::OsError.
  Turn(ExporterLink& link, TimePoint deadline);
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn();

  /// The answer to `request`, whose header it completes; nothing if the exporter has closed the connection.
  ///
  /// Errors:  deadline_exceeded; protocol_error, after which the link is over.
  template <ExportMessageBody M>
  std::optional<platform::Message> ask(M request) {
    request = with_header(request, ++link_.last_request_);
    return exchange(bytes_of(request), request.header.request);
  }

  /// An answer proved to be a lie: nothing more is asked here.
  void distrust() noexcept { link_.set_over(); }

  /// The segment with that access if it is mapped here; to be set where it is not.
  std::weak_ptr<const ImportedSegment>& mapped(const Uuid& segment, platform::Access access);

 private:
  void take_turn();
  void end_turn() noexcept;
  std::optional<platform::Message> exchange(std::span<const std::byte> request, std::uint64_t number);
  bool send(std::span<const std::byte> request);
  bool receive(platform::Message& message);
  void take_late_answer(const platform::Message& message);

  ExporterLink& link_;
  const TimePoint deadline_;
};

}  // namespace remotemedia

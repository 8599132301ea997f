// SPDX-License-Identifier: Apache-2.0
//
// ImporterConnection: the broker's end of one importer: what it asks, and what it holds.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>

#include "remotemedia/memory/export_messages.h"
#include "remotemedia/memory/export_table.h"
#include "remotemedia/memory/not_inherited.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/owned_handle.h"

namespace remotemedia {

inline constexpr std::size_t kMaxHoldsOfOneConnection = 65'536;

/// Threads:  the broker's.
class ImporterConnection {
 public:
  /// Errors:  platform::OsError; std::bad_alloc.
  explicit ImporterConnection(platform::DescriptorChannel channel);
  ImporterConnection(const ImporterConnection&) = delete;
  ImporterConnection& operator=(const ImporterConnection&) = delete;

  /// Gives all its holds back.
  ~ImporterConnection();

  /// As the system knows it; 0 where it does not say.
  std::int64_t process() const noexcept { return process_; }
  platform::NativeHandle wait_handle() noexcept { return channel_->wait_handle(); }

  /// Answers what has arrived, and no more than a fair share of it, without waiting. False: the importer is gone, or
  /// has said what no importer says, or does not read its answers; it is to be closed.
  bool serve() noexcept;

 private:
  bool answer(std::span<const std::byte> message);
  bool open(const OpenRequest& request);
  bool map(const MapRequest& request);
  bool release(const ReleaseNotice& notice);
  bool refuse(std::uint64_t request, Refusal reason);
  bool send(std::span<const std::byte> bytes, std::span<const platform::NativeHandle> handles = {});

  NotInherited<platform::DescriptorChannel> channel_;
  std::int64_t process_;
  std::uint64_t last_hold_ = 0;
  std::unordered_map<std::uint64_t, std::shared_ptr<ExportRecord>> holds_;
};

}  // namespace remotemedia

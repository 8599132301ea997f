// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/importer_connection.h"

#include <exception>
#include <utility>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/segment.h"
#include "remotemedia/platform/os_error.h"

namespace remotemedia {
namespace {

constexpr TimePoint kNoWait{};  // long past
constexpr int kFairShare = 16;  // messages

}  // namespace

ImporterConnection::ImporterConnection(platform::DescriptorChannel channel) : process_(channel.peer().process) {
  channel_.set(std::move(channel));
}

ImporterConnection::~ImporterConnection() {
  if (*channel_) channel_->shut_down();
  for (const auto& [hold, record] : holds_) ExportTable::process().release(record);
}

bool ImporterConnection::serve() noexcept {
  try {
    platform::Message message;
    for (int i = 0; i < kFairShare; ++i) {
      switch (channel_->receive(message, kNoWait)) {
        case platform::DescriptorChannel::Received::nothing:
          return true;
        case platform::DescriptorChannel::Received::closed:
          return false;
        case platform::DescriptorChannel::Received::message:
          if (!message.handles.empty() || !answer(message.bytes)) return false;
      }
    }
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

bool ImporterConnection::answer(std::span<const std::byte> message) {
  const ExportMessageHeader header = read_message_header(message);
  if (header.version != kExportVersion) {
    refuse(header.request, Refusal::other_version);
    return false;
  }
  switch (static_cast<ExportMessage>(header.kind)) {
    case ExportMessage::open:
      return open(read_open_request(message));
    case ExportMessage::map:
      return map(read_map_request(message));
    case ExportMessage::release:
      return release(read_release_notice(message));
    default:
      return false;
  }
}

bool ImporterConnection::open(const OpenRequest& request) {
  const std::uint64_t number = request.header.request;
  if (holds_.size() >= kMaxHoldsOfOneConnection) return refuse(number, Refusal::too_many_holds);
  const std::uint64_t hold = ++last_hold_;
  const auto place = holds_.try_emplace(hold).first;  // before there is a hold that could be lost
  const std::shared_ptr<ExportRecord> record = ExportTable::process().open(request.number, request.secret);
  if (record == nullptr) {
    holds_.erase(place);
    return refuse(number, Refusal::unknown);
  }
  place->second = record;
  if (request.to_map == 0) ExportTable::process().importer_came(*record);
  if (request.writable != 0 && !record->writable) {
    holds_.erase(place);
    ExportTable::process().release(record);
    return refuse(number, Refusal::not_writable);
  }
  const Segment& segment = *record->location.segment;
  const auto opened = with_header(OpenedAnswer{.header = {},
                                               .hold = hold,
                                               .segment = segment.header().uuid,
                                               .segment_bytes = segment.size(),
                                               .offset = record->location.offset,
                                               .bytes = record->bytes,
                                               .note_bytes = static_cast<std::uint32_t>(record->note.size()),
                                               .writable = request.writable},
                                  number);
  const std::span<const std::byte> fixed = bytes_of(opened);
  std::vector<std::byte> bytes(fixed.begin(), fixed.end());
  bytes.insert(bytes.end(), record->note.begin(), record->note.end());
  return send(bytes);
}

bool ImporterConnection::map(const MapRequest& request) {
  const auto held = holds_.find(request.hold);
  if (held == holds_.end()) return false;
  const ExportRecord& record = *held->second;
  platform::OwnedHandle handle;
  try {
    handle = record.location.segment->memory().handle_for(record.writable ? platform::Access::read_write
                                                                          : platform::Access::read_only);
  } catch (const platform::OsError&) {
    return refuse(request.header.request, Refusal::failed);
  }
  const auto mapped = with_header(MappedAnswer{.header = {}, .hold = request.hold}, request.header.request);
  const platform::NativeHandle sent = handle.get();
  return send(bytes_of(mapped), std::span(&sent, 1));
}

bool ImporterConnection::release(const ReleaseNotice& notice) {
  const auto held = holds_.find(notice.hold);
  if (held == holds_.end()) return false;
  const std::shared_ptr<ExportRecord> record = std::move(held->second);
  holds_.erase(held);
  ExportTable::process().release(record);
  return true;
}

bool ImporterConnection::refuse(std::uint64_t request, Refusal reason) {
  const auto refused = with_header(RefusedAnswer{.header = {}, .reason = static_cast<std::uint32_t>(reason)}, request);
  return send(bytes_of(refused));
}

bool ImporterConnection::send(std::span<const std::byte> bytes, std::span<const platform::NativeHandle> handles) {
  return channel_->send(bytes, handles, kNoWait);
}

}  // namespace remotemedia

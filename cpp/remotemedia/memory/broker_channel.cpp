// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/broker_channel.h"

#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/os_error.h"

namespace remotemedia {
namespace {

[[noreturn]] void throw_refused(Refusal reason) {
  const char* why = "";
  switch (reason) {
    case Refusal::unknown:
      why = "it knows no such export, or it has ended: keep the exporting buffer until the importer has come";
      break;
    case Refusal::not_writable:
      why = "it may only be read: its creator has to make it writable";
      break;
    case Refusal::too_many_holds:
      why = "this process holds as many of its blocks as it gives out: let some go";
      break;
    case Refusal::other_version:
      why = "it speaks another version: use the same remotemedia in both processes";
      break;
    case Refusal::failed:
      why = "its own system refused it a handle: try again";
      break;
  }
  throw Error(ErrorCode::shared_memory_unavailable, std::string("the exporter refuses: ") + why);
}

void check_handles(const platform::Message& answer, std::size_t expected) {
  if (answer.handles.size() == expected) return;
  throw Error(ErrorCode::protocol_error, "message about an export: it must come with " + std::to_string(expected) +
                                             " handles and has " + std::to_string(answer.handles.size()));
}

void throw_if_refused(const platform::Message& answer) {
  const ExportMessageHeader header = read_message_header(answer.bytes);
  if (header.kind != static_cast<std::uint16_t>(ExportMessage::refused)) return;
  check_handles(answer, 0);
  throw_refused(read_refused_answer(answer.bytes));
}

}  // namespace

platform::DescriptorChannel connect_to_broker(const BrokerName& broker, TimePoint deadline) {
  platform::DescriptorChannel channel;
  try {
    channel = platform::DescriptorChannel::connect(broker_address(broker), deadline);
  } catch (const platform::OsError& error) {
    if (error.code() != ErrorCode::shared_memory_unavailable || error.call() != "connect") throw;
    throw Error(
        ErrorCode::shared_memory_unavailable,
        std::string("the exporter of this id is not there: its process has ended, or has another run directory (") +
            error.what() + ")");
  }
  if (!channel.peer().same_user) {
    throw Error(ErrorCode::shared_memory_unavailable,
                "another user listens at the address of this id: nothing of what it says is believed");
  }
  return channel;
}

OpenRequest open_request(const ExportId& id, bool writable) noexcept {
  return {.header = {},
          .number = id.number,
          .secret = id.secret,
          .writable = static_cast<std::uint8_t>(writable ? 1 : 0),
          .to_map = 0};
}

Opened read_opened_or_refused(const platform::Message& answer) {
  throw_if_refused(answer);
  Opened opened = read_opened_answer(answer.bytes);
  check_handles(answer, 0);
  return opened;
}

platform::OwnedHandle take_mapped_or_refused(platform::Message& answer) {
  throw_if_refused(answer);
  (void)read_mapped_answer(answer.bytes);
  check_handles(answer, 1);
  return std::move(answer.handles.front());
}

void throw_no_answer() {
  throw Error(ErrorCode::deadline_exceeded,
              "the exporter has not answered in time: it is stopped, or busy; try again with a longer timeout");
}

void throw_closed() {
  throw Error(ErrorCode::shared_memory_unavailable,
              "the exporter has closed the connection: its process has ended, or has as many importers as it takes");
}

}  // namespace remotemedia

// SPDX-License-Identifier: Apache-2.0
//
// What every importer's conversation with a broker begins with and may end in.

#pragma once

#include "remotemedia/base/clock.h"
#include "remotemedia/memory/export_id.h"
#include "remotemedia/memory/export_messages.h"
#include "remotemedia/platform/descriptor_channel.h"

namespace remotemedia {

/// Errors:  shared_memory_unavailable if nobody listens there, or another user; deadline_exceeded; platform::OsError.
platform::DescriptorChannel connect_to_broker(const BrokerName& broker, TimePoint deadline);

OpenRequest open_request(const ExportId& id, bool writable) noexcept;

/// Errors:  shared_memory_unavailable if it is a refusal; protocol_error.
Opened read_opened_or_refused(const platform::Message& answer);

/// The one handle that comes with it.
///
/// Errors:  likewise.
platform::OwnedHandle take_mapped_or_refused(platform::Message& answer);

[[noreturn]] void throw_no_answer();
[[noreturn]] void throw_closed();

}  // namespace remotemedia

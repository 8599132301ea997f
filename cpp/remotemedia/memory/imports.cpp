// SPDX-License-Identifier: Apache-2.0
//
// The importing side of exports.h.

#include <memory>
#include <optional>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/broker_channel.h"
#include "remotemedia/memory/export_access.h"
#include "remotemedia/memory/exporter_link.h"
#include "remotemedia/memory/exports.h"
#include "remotemedia/memory/fork_generation.h"
#include "remotemedia/memory/imported_segment.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia {
namespace {

/// One hold of this process on an exporter's block.
class Hold {
 public:
  Hold(std::shared_ptr<ExporterLink> link, std::uint64_t number) noexcept : link_(std::move(link)), number_(number) {}
  Hold(Hold&&) noexcept = default;
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  ~Hold() {
    // In a forked child it is the parent's hold.
    if (link_ != nullptr && made_in_ == fork_generation()) link_->release(number_);
  }

 private:
  std::shared_ptr<ExporterLink> link_;
  std::uint64_t number_;
  std::uint64_t made_in_ = fork_generation();
};

class ImportedOwner final : public BlockOwner {
 public:
  ImportedOwner(Hold hold, std::shared_ptr<const ImportedSegment> segment, const OpenedAnswer& opened)
      : BlockOwner(segment->find(opened), static_cast<std::size_t>(opened.bytes), BlockKind::shared_memory,
                   opened.writable == 0),
        hold_(std::move(hold)),
        segment_(std::move(segment)) {}

 private:
  void give_back() noexcept override { delete this; }

  Hold hold_;
  std::shared_ptr<const ImportedSegment> segment_;
};

/// Nothing if the link was over before it had an answer.
std::optional<ImportedBlock> import_over(const std::shared_ptr<ExporterLink>& link, const ExportId& id,
                                         platform::Access access, TimePoint deadline) {
  const bool writable = access == platform::Access::read_write;
  ExporterLink::Turn turn(*link, deadline);
  const std::optional<platform::Message> answer = turn.ask(open_request(id, writable));
  if (!answer) return std::nullopt;
  try {
    Opened opened = read_opened_or_refused(*answer);
    Hold hold(link, opened.answer.hold);
    if ((opened.answer.writable != 0) != writable) {
      throw Error(ErrorCode::protocol_error, "message about an export: it grants another access than was asked for");
    }
    std::weak_ptr<const ImportedSegment>& mapped = turn.mapped(opened.answer.segment, access);
    std::shared_ptr<const ImportedSegment> segment = mapped.lock();
    if (segment == nullptr) {
      segment = ImportedSegment::fetch(id, opened.answer, deadline);
      mapped = segment;
    }
    MemoryBlock block(*new ImportedOwner(std::move(hold), std::move(segment), opened.answer));
    return ImportedBlock{std::move(block), std::move(opened.note)};
  } catch (const Error& error) {
    if (error.code() == ErrorCode::protocol_error) turn.distrust();
    throw;
  }
}

}  // namespace

ImportedBlock import_with_access(std::string_view text, platform::Access access, Duration timeout) {
  const ExportId id = read_export_id(text);
  const TimePoint deadline = later(monotonic_clock().now(), timeout);
  // A link may be over because its exporter closed it while nobody asked. A new one says whether that was the end.
  for (int attempt = 0; attempt < 2; ++attempt) {
    const std::shared_ptr<ExporterLink> link = ExporterLink::to(id.broker);
    if (std::optional<ImportedBlock> imported = import_over(link, id, access, deadline)) return *std::move(imported);
  }
  throw_closed();
}

ImportedBlock import_block(std::string_view id, Duration timeout) {
  return import_with_access(id, platform::Access::read_only, timeout);
}

}  // namespace remotemedia

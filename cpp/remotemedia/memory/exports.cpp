// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/exports.h"

#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/export_access.h"
#include "remotemedia/memory/export_broker.h"
#include "remotemedia/memory/export_id.h"
#include "remotemedia/memory/export_table.h"
#include "remotemedia/memory/fork_generation.h"

namespace remotemedia {
namespace {

void check_exportable(const MemoryBlock& block, std::span<const std::byte> note) {
  const SharedLocation* const location = block ? block.owner()->shared_location() : nullptr;
  if (location == nullptr) {
    const bool imported = block.kind() == BlockKind::shared_memory;
    throw Error(ErrorCode::invalid_argument,
                imported ? "an imported block is exported by its exporter: pass that id on"
                         : "only blocks in shared memory can be exported: allocate this one there, or copy it");
  }
  if (location->fork_generation != fork_generation()) {
    throw Error(
        ErrorCode::shared_memory_unavailable,
        "this block is the parent process's: a forked child cannot export it. Let the parent do it, copy it, or "
        "start processes with spawn or exec");
  }
  if (note.size() > kMaxNoteBytes) {
    throw Error(ErrorCode::invalid_argument,
                "a note has at most " + std::to_string(kMaxNoteBytes) + " bytes, not " + std::to_string(note.size()));
  }
}

}  // namespace

struct Export::State {
  State(std::shared_ptr<ExportRecord> exported, const BrokerName& broker)
      : record(std::move(exported)),
        id(to_text({.broker = broker, .number = record->number, .secret = record->secret})) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (made_in != fork_generation()) return;  // a child's copy: the export is the parent's
    if (ExportTable::existing()->exporter_gone(record)) ExportBroker::look_at_leases();
  }

  const std::shared_ptr<ExportRecord> record;
  const std::string id;
  const std::uint64_t made_in = fork_generation();
};

const std::string& Export::id() const noexcept {
  static const std::string none;
  if (state_ == nullptr) return none;
  return state_->id;
}

bool Export::openable() const noexcept {
  return state_ != nullptr && state_->made_in == fork_generation() && ExportTable::process().openable(*state_->record);
}

Export share_with_access(const MemoryBlock& block, std::span<const std::byte> note, platform::Access access,
                         std::optional<Duration> lease) {
  check_exportable(block, note);
  const BrokerName broker = ExportBroker::name_of_running();
  auto record = ExportTable::process().add(block, note, access == platform::Access::read_write);
  if (!lease) lease = record->location.lease_ttl;
  if (lease > Duration{0}) ExportTable::process().await_importer(*record, *lease);
  try {
    return Export(std::make_shared<Export::State>(record, broker));
  } catch (...) {
    ExportTable::process().end(record);
    throw;
  }
}

Export share(const MemoryBlock& block, std::span<const std::byte> note, std::optional<Duration> lease) {
  return share_with_access(block, note, platform::Access::read_only, lease);
}

void await_importer(const Export& exported, Duration lease) noexcept {
  const Export::State* const state = exported.state_.get();
  if (state == nullptr || state->made_in != fork_generation()) return;
  ExportTable::process().await_importer(*state->record, lease);
}

void end_export(const Export& exported) noexcept {
  const Export::State* const state = exported.state_.get();
  if (state != nullptr && state->made_in == fork_generation()) ExportTable::process().end(state->record);
}

}  // namespace remotemedia

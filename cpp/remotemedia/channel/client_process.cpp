// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/client_process.h"

#include <string>
#include <utility>

#include "remotemedia/base/error.h"

namespace remotemedia::detail {
namespace {

/// Heap of which a budget hears when it goes.
class CountedBlock final : public BlockOwner {
 public:
  CountedBlock(MemoryBlock memory, std::size_t counted, std::shared_ptr<ClientProcess> process) noexcept
      : BlockOwner(memory.data(), memory.size(), BlockKind::heap, false),
        memory_(std::move(memory)),
        counted_(counted),
        process_(std::move(process)) {}

 private:
  void give_back() noexcept override {
    process_->copied_inputs.give_back(counted_);
    delete this;
  }

  MemoryBlock memory_;
  std::size_t counted_;
  std::shared_ptr<ClientProcess> process_;
};

}  // namespace

std::size_t Budget::left() const noexcept {
  const std::size_t used = used_.load(std::memory_order_relaxed);
  return used < most_ ? most_ - used : 0;
}

bool Budget::take(std::size_t bytes) noexcept {
  std::size_t used = used_.load(std::memory_order_relaxed);
  do {
    if (used > most_ || bytes > most_ - used) return false;
  } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  return true;
}

TensorBuffer allocate_copied_input(const std::shared_ptr<ClientProcess>& process, std::size_t bytes) {
  const TensorLayout row = row_major({static_cast<std::int64_t>(bytes)}, DataType::uint8);
  Budget& budget = process->copied_inputs;
  if (!budget.take(bytes)) {
    throw Error(ErrorCode::rejected, "memory_quota_bytes permits one process " + std::to_string(budget.most()) +
                                         " bytes of inputs in pieces, of which " + std::to_string(budget.left()) +
                                         " are left, and this one has " + std::to_string(bytes) +
                                         ": wait until some calls are answered");
  }
  MemoryBlock counted;
  try {
    counted = MemoryBlock(*new CountedBlock(TensorBuffer::allocate(row.shape, row.dtype).block(), bytes, process));
  } catch (...) {
    budget.give_back(bytes);
    throw;
  }
  return TensorBuffer::view_of(counted, 0, row);
}

}  // namespace remotemedia::detail

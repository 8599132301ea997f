// SPDX-License-Identifier: Apache-2.0
//
// memory_counts: what does not depend on the day. Page faults, system calls and copied bytes of each operation, in this
// process and in the other one, as JSON. Everything is done some times before it is counted.

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "peer.h"
#include "remotemedia/memory/copy_bytes.h"
#include "sizes.h"
#include "system_calls.h"
#include "tensor_link.h"
#include "timing.h"

namespace remotemedia::bench {
namespace {

constexpr std::size_t kBytes = 10 * kMiB;

struct Counts {
  double faults = 0;
  double calls = 0;
};

/// Of each of `operations` operations. The first one comes before system calls are stopped: a thread that it starts
/// would not survive that.
template <class Operation>
Counts count(std::uint64_t operations, Operation operation) {
  operation();
  count_system_calls();
  for (std::uint64_t i = 0; i < operations / 10 + 2; ++i) operation();
  const double faults = thread_minor_faults();
  const std::uint64_t calls = system_calls();
  for (std::uint64_t i = 0; i < operations; ++i) operation();
  const std::uint64_t calls_after = system_calls();
  const double all = static_cast<double>(operations);
  return {(thread_minor_faults() - faults) / all, static_cast<double>(calls_after - calls) / all};
}

void send(Wire& wire, const Counts& counts) {
  wire.send(std::to_string(counts.faults) + ' ' + std::to_string(counts.calls));
}

Counts receive_counts(Wire& wire) {
  Counts counts;
  const std::string text = wire.receive_text();
  if (std::sscanf(text.c_str(), "%lf %lf", &counts.faults, &counts.calls) != 2) throw std::runtime_error(text);
  return counts;
}

/// One object of the output.
void print(std::string_view name, std::initializer_list<std::pair<const char*, double>> numbers) {
  static const char* separator = "[\n";
  std::cout << separator << R"({"name": ")" << name << '"';
  for (const auto& [what, number] : numbers) std::cout << ", \"" << what << "\": " << number;
  std::cout << '}';
  separator = ",\n";
}

void print(std::string_view name, std::uint64_t operations, const Counts& ours) {
  print(name, {{"operations", static_cast<double>(operations)}, {"faults", ours.faults}, {"system_calls", ours.calls}});
}

void print(std::string_view name, std::uint64_t operations, const Counts& ours, const Counts& theirs) {
  print(name, {{"operations", static_cast<double>(operations)},
               {"faults", ours.faults},
               {"system_calls", ours.calls},
               {"peer_faults", theirs.faults},
               {"peer_system_calls", theirs.calls}});
}

// Hand-offs
// ------------------------------------------------------------------------------------------------------------

constexpr std::uint64_t kHandoffs = 200'000;
constexpr std::uint64_t kPackets = 1'000;

void answer_counted_tensors(Wire& wire) {
  TensorLink link(join_channel(wire), 4096);
  send(wire, count(kHandoffs, [&] { link.send(link.receive()); }));
}
const PeerRole tensors_role("counted_tensors", answer_counted_tensors);

void count_handoffs() {
  Peer peer("counted_tensors");
  TensorLink link(open_channel(peer.wire()), kBytes);
  const PinnedTo pinned(0);
  std::uint64_t mark = 0;
  const Counts ours = count(kHandoffs, [&] {
    link.send(++mark);
    if (link.receive() != mark) throw std::runtime_error("an answer to something else");
  });
  const Counts theirs = receive_counts(peer.wire());
  print("handoff/tensor", kHandoffs, ours, theirs);
}

void send_packet(Wire& wire) { wire.send(1); }

void answer_counted_packets(Wire& wire) {
  const Counts counts = count(kPackets, [&] {
    wire.receive_number();
    send_packet(wire);
  });
  send(wire, counts);
}
const PeerRole packets_role("counted_packets", answer_counted_packets);

void count_packets() {
  Peer peer("counted_packets");
  const PinnedTo pinned(0);
  const Counts ours = count(kPackets, [&] {
    send_packet(peer.wire());
    peer.wire().receive_number();
  });
  const Counts theirs = receive_counts(peer.wire());
  print("handoff/packet", kPackets, ours, theirs);
}

// Memory
// ---------------------------------------------------------------------------------------------------------------

constexpr std::uint64_t kAllocations = 1'000'000;

void count_allocations() {
  SharedMemoryAllocator allocator({.heap_fallback = false});
  { const MemoryBlock first = allocator.allocate(256, "camera-1"); }
  while (allocator.metrics().regions_active < 2) std::this_thread::yield();  // the spare segment is being made
  for (const std::size_t bytes : {std::size_t{256}, kBytes}) {
    const Counts counts = count(kAllocations, [&] {
      const MemoryBlock block = allocator.allocate(bytes, "camera-1");
      benchmark::DoNotOptimize(block.data());
    });
    print("allocate/" + std::to_string(bytes), kAllocations, counts);
  }
}

void count_copies() {
  constexpr std::uint64_t kCopies = 20;
  SharedMemoryAllocator allocator({.heap_fallback = false});
  const std::vector<std::byte> from(kBytes, std::byte{1});
  print("copy/block", kCopies, count(kCopies, [&] {
          const MemoryBlock block = allocator.allocate(kBytes);
          copy_bytes(block.data(), from.data(), kBytes);
        }));
  print("copy/fresh_memfd", kCopies, count(kCopies, [&] {
          const Descriptor memory = make_memory(kBytes);
          void* const address = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
          if (address == MAP_FAILED) checked(-1, "mmap");
          std::memcpy(address, from.data(), kBytes);
          munmap(address, kBytes);
        }));
}

// By id
// ----------------------------------------------------------------------------------------------------------------

constexpr std::uint64_t kIds = 1'000;

/// Opens one id again and again, while it has the tensor open.
void open_counted(Wire& wire) {
  const std::string id = wire.receive_text();
  const TensorBuffer kept = TensorBuffer::from_shared_memory(id);
  send(wire, count(kIds, [&] { TensorBuffer::from_shared_memory(id); }));
}
const PeerRole open_role("open_counted", open_counted);

void count_ids() {
  SharedMemoryAllocator allocator({.heap_fallback = false});
  Peer peer("open_counted", Peer::Cpu::any);
  const Dims shape{4096};
  const TensorBuffer kept = TensorBuffer::allocate(shape, DataType::uint8, allocator);
  peer.wire().send(kept.to_shared_memory());
  const Counts theirs = receive_counts(peer.wire());
  print("id/to_shared_memory", kIds, count(kIds, [&] {
          const TensorBuffer tensor = TensorBuffer::allocate(shape, DataType::uint8, allocator);
          benchmark::DoNotOptimize(tensor.to_shared_memory().size());
        }));
  print("id/from_shared_memory", kIds, theirs);
}

/// Private bytes of this process that are in memory.
double private_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kib = 0;
    if (word == "RssAnon:" && status >> kib) return kib * 1024;
  }
  throw std::runtime_error("/proc/self/status does not say RssAnon");
}

/// Opens a tensor twice and says what that took: private memory; what its first element is, then and after a change.
void open_and_watch(Wire& wire) {
  const std::string id = wire.receive_text();
  TensorBuffer::from_shared_memory(id);
  const double before = private_bytes();
  const TensorBuffer tensor = TensorBuffer::from_shared_memory(id);
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < tensor.nbytes(); at += 4096) sum += std::to_integer<std::uint64_t>(tensor.data()[at]);
  benchmark::DoNotOptimize(sum);
  wire.send(static_cast<std::uint64_t>(std::max(0.0, private_bytes() - before)));
  wire.receive_number();
  wire.send(std::to_integer<std::uint64_t>(tensor.data()[0]));
}
const PeerRole watch_role("watch", open_and_watch);

/// Bytes of shared memory that an export took, private bytes that opening it took in the other process, and whether the
/// other process sees what is written afterwards: yes where nothing was copied.
void count_copied(const char* name, TensorBuffer tensor, SharedMemoryAllocator& allocator) {
  Peer peer("watch", Peer::Cpu::any);
  const std::size_t before = allocator.metrics().bytes_allocated;
  const std::string id = tensor.to_shared_memory(&allocator);
  const std::size_t copied = allocator.metrics().bytes_allocated - before;
  peer.wire().send(id);
  const std::uint64_t opened = peer.wire().receive_number();
  tensor.mutable_data()[0] = std::byte{7};
  peer.wire().send(0);
  const bool seen = peer.wire().receive_number() == 7;
  print(name, {{"bytes", static_cast<double>(tensor.nbytes())},
               {"copied_bytes", static_cast<double>(copied)},
               {"private_bytes_of_opening", static_cast<double>(opened)},
               {"sees_later_writes", seen ? 1 : 0}});
}

void count_copied_bytes() {
  SharedMemoryAllocator allocator({.heap_fallback = false});
  const Dims shape{static_cast<std::int64_t>(kBytes)};
  const auto filled = [](TensorBuffer tensor) {
    std::memset(tensor.mutable_data(), 1, tensor.nbytes());
    return tensor;
  };
  count_copied("export/in_place", filled(TensorBuffer::allocate(shape, DataType::uint8, allocator)), allocator);
  count_copied("export/from_the_heap", filled(TensorBuffer::allocate(shape, DataType::uint8)), allocator);
}

}  // namespace
}  // namespace remotemedia::bench

int main(int argc, char** argv) {
  using namespace remotemedia::bench;
  if (was_peer(argc, argv)) return 0;
  // One a process: who counts its system calls passes that on to whatever it starts, the next peer too.
  const std::map<std::string_view, void (*)()> parts{
      {"handoff", count_handoffs}, {"packet", count_packets}, {"allocate", count_allocations},
      {"copy", count_copies},      {"ids", count_ids},        {"export", count_copied_bytes}};
  const auto part = parts.find(argc == 2 ? argv[1] : "");
  if (part == parts.end()) {
    std::cerr << "usage: memory_counts handoff|packet|allocate|copy|ids|export\n";
    return 2;
  }
  std::cout.precision(12);
  part->second();
  std::cout << "\n]\n";
  return 0;
}

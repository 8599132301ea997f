// SPDX-License-Identifier: Apache-2.0
//
// Tensors by id: exporting one, opening it in another process, and what a session's first memory costs. Ids travel
// through a socket, and whoever waits for one sleeps; the processes stay on no CPU, since the exporter's broker needs
// one.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "peer.h"
#include "remotemedia/tensor/tensor_buffer.h"
#include "sizes.h"
#include "timing.h"

namespace remotemedia::bench {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr std::size_t kTensor = kMiB;

Dims dims(std::size_t bytes) { return {static_cast<std::int64_t>(bytes)}; }

AllocatorConfig without_spare_segments() { return {.heap_fallback = false, .spare_segments = 0}; }

Timing two_processes(const Peer& peer) { return {.peer = &peer, .cpus = 2}; }

// The text alone
// -------------------------------------------------------------------------------------------------------

void answer_texts(Wire& wire) {
  for (;;) wire.send(wire.receive_text().size());
}
const PeerRole texts_role("texts", answer_texts);

void time_texts(benchmark::State& state) {
  Peer peer("texts", Peer::Cpu::any);
  const std::string id(100, 'x');
  time_operations(state, two_processes(peer), [&] {
    peer.wire().send(id);
    peer.wire().receive_number();
  });
}

// Ids
// ------------------------------------------------------------------------------------------------------------------

/// Opens each, reads an element, lets go of it. The first one stays open.
void open_tensors(Wire& wire) {
  const TensorBuffer first = TensorBuffer::from_shared_memory(wire.receive_text());
  wire.send(0);
  for (;;) {
    const TensorBuffer tensor = TensorBuffer::from_shared_memory(wire.receive_text());
    wire.send(std::to_integer<std::uint64_t>(tensor.data()[0]));
  }
}
const PeerRole opens_role("opens", open_tensors);

std::uint64_t open_there(Peer& peer, const TensorBuffer& tensor, SharedMemoryAllocator& allocator) {
  peer.wire().send(tensor.to_shared_memory(&allocator));
  return peer.wire().receive_number();
}

/// Each a new tensor, in a segment that the other process has mapped already.
void time_open_again(benchmark::State& state) {
  SharedMemoryAllocator allocator(without_spare_segments());
  Peer peer("opens", Peer::Cpu::any);
  const TensorBuffer kept = TensorBuffer::allocate(dims(kTensor), DataType::uint8, allocator);
  open_there(peer, kept, allocator);
  time_operations(state, two_processes(peer), [&] {
    const TensorBuffer tensor = TensorBuffer::allocate(dims(kTensor), DataType::uint8, allocator);
    open_there(peer, tensor, allocator);
  });
}

/// Each in a segment that the other process has never seen. Making the segment does not count.
void time_open_first(benchmark::State& state) {
  SharedMemoryAllocator allocator(without_spare_segments());
  Peer peer("opens", Peer::Cpu::any);
  const TensorBuffer kept = TensorBuffer::allocate(dims(kTensor), DataType::uint8, allocator);
  open_there(peer, kept, allocator);
  int session = 0;
  time_operations(state, two_processes(peer), [&] {
    const std::string name = "session-" + std::to_string(++session);
    const TensorBuffer tensor = TensorBuffer::allocate(dims(kTensor), DataType::uint8, allocator, name);
    const auto began = steady_clock::now();
    open_there(peer, tensor, allocator);
    return steady_clock::now() - began;
  });
}

void time_export(benchmark::State& state) {
  SharedMemoryAllocator allocator(without_spare_segments());
  time_operations(state, {}, [&] {
    const TensorBuffer tensor = TensorBuffer::allocate(dims(kTensor), DataType::uint8, allocator);
    benchmark::DoNotOptimize(tensor.to_shared_memory(&allocator).size());
  });
}

/// With the one copy that it takes.
void time_export_from_the_heap(benchmark::State& state, std::size_t bytes) {
  SharedMemoryAllocator allocator(without_spare_segments());
  const MemoryBlock heap = allocate_heap_block(bytes);
  std::memset(heap.data(), 1, bytes);
  const TensorLayout layout = row_major(dims(bytes), DataType::uint8);
  time_operations(state, {}, [&] {
    const TensorBuffer tensor = TensorBuffer::view_of(heap, 0, layout);
    benchmark::DoNotOptimize(tensor.to_shared_memory(&allocator).size());
  });
}

// POSIX shared memory by name
// ------------------------------------------------------------------------------------------

int open_named(const std::string& name, int flags) {
  return static_cast<int>(checked(shm_open(name.c_str(), flags, 0600), "shm_open"));
}

unsigned char* map_tensor(const Descriptor& memory, int protection) {
  void* const address = mmap(nullptr, kTensor, protection, MAP_SHARED, memory.get(), 0);
  if (address == MAP_FAILED) checked(-1, "mmap");
  return static_cast<unsigned char*>(address);
}

void open_names(Wire& wire) {
  for (;;) {
    const Descriptor memory(open_named(wire.receive_text(), O_RDONLY));
    unsigned char* const bytes = map_tensor(memory, PROT_READ);
    const unsigned char first = *static_cast<volatile unsigned char*>(bytes);
    munmap(bytes, kTensor);
    wire.send(first);
  }
}
const PeerRole names_role("names", open_names);

/// As most programs do it: an object with a name for each tensor. Only its first page is ever touched.
void time_names(benchmark::State& state) {
  Peer peer("names", Peer::Cpu::any);
  const std::string name = "/bench-" + std::to_string(getpid());
  time_operations(state, two_processes(peer), [&] {
    const Descriptor memory(open_named(name, O_CREAT | O_EXCL | O_RDWR));
    checked(ftruncate(memory.get(), kTensor), "ftruncate");
    unsigned char* const bytes = map_tensor(memory, PROT_READ | PROT_WRITE);
    bytes[0] = 1;
    peer.wire().send(name);
    peer.wire().receive_number();
    munmap(bytes, kTensor);
    shm_unlink(name.c_str());
  });
}

// Sessions
// -------------------------------------------------------------------------------------------------------------

void wait_for_regions(const SharedMemoryAllocator& allocator, std::size_t regions) {
  const auto end = steady_clock::now() + 5s;
  while (allocator.metrics().regions_active != regions) {
    if (steady_clock::now() > end) {
      throw std::runtime_error("the allocator has " + std::to_string(allocator.metrics().regions_active) +
                               " segments and not " + std::to_string(regions));
    }
    std::this_thread::sleep_for(100us);
  }
}

/// The first allocation of a session that nobody has heard of. Waiting until a spare segment is ready, and closing the
/// session, do not count.
void time_first_allocation(benchmark::State& state, std::size_t spare_segments) {
  SharedMemoryAllocator allocator({.heap_fallback = false, .spare_segments = spare_segments, .low_water_bytes = 0});
  if (spare_segments > 0) {
    const MemoryBlock first = allocator.allocate(4096, "first");
  }
  allocator.close_session("first");
  int session = 0;
  time_operations(state, {}, [&] {
    wait_for_regions(allocator, spare_segments);
    const std::string name = "session-" + std::to_string(++session);
    const auto began = steady_clock::now();
    MemoryBlock block = allocator.allocate(4096, name);
    const auto took = steady_clock::now() - began;
    block = {};
    allocator.close_session(name);
    return took;
  });
}

const bool registered = [] {
  add_arm("id/text", time_texts);
  add_arm("id/open_again", time_open_again);
  add_arm("id/open_first", time_open_first);
  add_arm("id/posix_name", time_names);
  add_arm("id/export", time_export);
  for (const std::size_t bytes : {kMiB, 10 * kMiB}) {
    add_arm("id/export_from_the_heap/" + std::to_string(bytes),
            [=](benchmark::State& state) { time_export_from_the_heap(state, bytes); });
  }
  add_arm("session/with_a_spare_segment", [](benchmark::State& state) { time_first_allocation(state, 1); });
  add_arm("session/without", [](benchmark::State& state) { time_first_allocation(state, 0); });
  return true;
}();

}  // namespace
}  // namespace remotemedia::bench

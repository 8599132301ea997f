// SPDX-License-Identifier: Apache-2.0
//
// Copying into shared memory that another process has mapped: into an allocator's blocks, and into memory made for the
// copy. The other process sleeps meanwhile.
//
// hot: one source, and the block that was given back last. cold: so many sources and blocks in turn that none of them
// is in a cache when its turn comes. Memory made for the copy comes with a hot source; making it counts, unmapping not.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "peer.h"
#include "remotemedia/memory/copy_bytes.h"
#include "remotemedia/memory/exports.h"
#include "remotemedia/memory/shared_memory_allocator.h"
#include "sizes.h"
#include "timing.h"

namespace remotemedia::bench {
namespace {

using std::chrono::steady_clock;

using Copy = void (*)(std::byte* to, const std::byte* from, std::size_t bytes);

void copy_with_memcpy(std::byte* to, const std::byte* from, std::size_t bytes) { std::memcpy(to, from, bytes); }
void copy_with_copy_bytes(std::byte* to, const std::byte* from, std::size_t bytes) { copy_bytes(to, from, bytes); }

constexpr std::size_t kCacheBytes = 128 * kMiB;  // more than a last-level cache has

/// How many sources and blocks in turn make them cold.
std::size_t turns(std::size_t bytes) { return kCacheBytes / bytes + 2; }

std::vector<std::byte> source(std::size_t bytes) { return std::vector<std::byte>(bytes, std::byte{1}); }

void read_blocks(Wire& wire) {
  std::vector<MemoryBlock> blocks;
  std::uint64_t sum = 0;
  for (;;) {
    blocks.push_back(import_block(wire.receive_text()).block);
    for (std::size_t at = 0; at < blocks.back().size(); at += 4096) {
      sum += static_cast<const volatile unsigned char&>(reinterpret_cast<unsigned char*>(blocks.back().data())[at]);
    }
    wire.send(sum);
  }
}
const PeerRole role("blocks", read_blocks);

/// Blocks of an allocator that another process has mapped.
class SharedBlocks {
 public:
  SharedBlocks(std::size_t count, std::size_t bytes) : peer_("blocks") {
    for (std::size_t i = 0; i < count; ++i) {
      blocks_.push_back(allocator_.allocate(bytes));
      std::memset(blocks_.back().data(), 1, bytes);
      exports_.push_back(share(blocks_.back()));
      peer_.wire().send(exports_.back().id());
      peer_.wire().receive_number();
    }
  }

  SharedMemoryAllocator& allocator() { return allocator_; }
  MemoryBlock& operator[](std::size_t i) { return blocks_[i]; }
  const Peer& peer() const { return peer_; }

 private:
  SharedMemoryAllocator allocator_{{.heap_fallback = false, .spare_segments = 0}};  // none is made meanwhile
  Peer peer_;
  std::vector<MemoryBlock> blocks_;
  std::vector<Export> exports_;
};

void copy_hot(benchmark::State& state, Copy copy, std::size_t bytes) {
  SharedBlocks blocks(1, bytes);
  const PinnedTo pinned(0);
  const auto from = source(bytes);
  { const MemoryBlock given_back = blocks.allocator().allocate(bytes); }
  time_operations(state, {.peer = &blocks.peer()}, [&] {
    const MemoryBlock block = blocks.allocator().allocate(bytes);
    copy(block.data(), from.data(), bytes);
    benchmark::ClobberMemory();
  });
}

void copy_cold(benchmark::State& state, Copy copy, std::size_t bytes) {
  const std::size_t count = turns(bytes);
  SharedBlocks blocks(count, bytes);
  const PinnedTo pinned(0);
  const std::vector<std::vector<std::byte>> sources(count, source(bytes));
  std::size_t turn = 0;
  time_operations(state, {.peer = &blocks.peer()}, [&] {
    turn = (turn + 1) % count;
    copy(blocks[turn].data(), sources[turn].data(), bytes);
    benchmark::ClobberMemory();
  });
}

/// Maps all of `memory`, as large as it has to be, and copies. Returns the time at which it was done.
steady_clock::time_point fill(const Descriptor& memory, const std::vector<std::byte>& from) {
  checked(ftruncate(memory.get(), static_cast<off_t>(from.size())), "ftruncate");
  void* const address = mmap(nullptr, from.size(), PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  if (address == MAP_FAILED) checked(-1, "mmap");
  std::memcpy(address, from.data(), from.size());
  benchmark::ClobberMemory();
  const auto done = steady_clock::now();
  munmap(address, from.size());
  return done;
}

void copy_to_fresh_memfd(benchmark::State& state, std::size_t bytes) {
  const PinnedTo pinned(0);
  const auto from = source(bytes);
  time_operations(state, {}, [&] {
    const auto began = steady_clock::now();
    const Descriptor memory(static_cast<int>(checked(memfd_create("bench", MFD_CLOEXEC), "memfd_create")));
    return fill(memory, from) - began;
  });
}

void copy_to_posix_memory(benchmark::State& state, std::size_t bytes) {
  const PinnedTo pinned(0);
  const auto from = source(bytes);
  const std::string name = "/bench-" + std::to_string(getpid());
  time_operations(state, {}, [&] {
    const auto began = steady_clock::now();
    const Descriptor memory(
        static_cast<int>(checked(shm_open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600), "shm_open")));
    const auto done = fill(memory, from);
    shm_unlink(name.c_str());
    return done - began;
  });
}

const bool registered = [] {
  for (const std::size_t bytes : {10 * kMiB, 100 * kMiB}) {
    const auto add = [&](const std::string& name, auto measure) {
      add_arm("copy/" + name + "/" + std::to_string(bytes), measure);
    };
    const auto add_copies = [&](const std::string& name, Copy copy) {
      if (bytes < kCacheBytes / 4) add(name + "_hot", [=](benchmark::State& state) { copy_hot(state, copy, bytes); });
      add(name + "_cold", [=](benchmark::State& state) { copy_cold(state, copy, bytes); });
    };
    add_copies("copy_bytes", copy_with_copy_bytes);
    add_copies("memcpy", copy_with_memcpy);
    add("fresh_memfd", [=](benchmark::State& state) { copy_to_fresh_memfd(state, bytes); });
    add("fresh_posix_memory", [=](benchmark::State& state) { copy_to_posix_memory(state, bytes); });
  }
  return true;
}();

}  // namespace
}  // namespace remotemedia::bench

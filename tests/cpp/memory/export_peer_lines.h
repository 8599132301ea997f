// SPDX-License-Identifier: Apache-2.0
//
// ExportPeer's side: does what a line says, and answers with one line.
//
//     export BYTES SEED [LEASE_MS]   an id; the block is number 0, 1, … of those it exports
//     forget N                       lets go of the export
//     usage                          bytes of the blocks that it exports and still has
//     free                           answers once that is 0
//     import ID MILLISECONDS         "N CHECKSUM", or the name of an error's code
//     sum N                          the checksum of what it has imported
//     drop N                         lets go of it
//     region BYTES SEED, open ID     likewise, with regions that may be written
//     write N SEED                   writes to an opened region
//     cycle ID TIMES                 imports and lets go, TIMES times
//     side                           an id of this process's side of two rings: side_of_two_rings.h
//     echo ID TIMES                  sends back what comes from the other side
//     call ADDRESS TIMES             makes connections; how many are answered

#pragma once

#include <chrono>
#include <cstddef>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "memory/blocks_of_a_segment.h"
#include "memory/side_of_two_rings.h"
#include "remotemedia/base/error.h"
#include "remotemedia/memory/export_messages.h"
#include "remotemedia/memory/exports.h"
#include "remotemedia/memory/shared_memory_allocator.h"
#include "remotemedia/memory/shared_memory_region.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia::testing {

class ExportPeerLines {
 public:
  ExportPeerLines() = default;
  ExportPeerLines(const ExportPeerLines&) = delete;
  ExportPeerLines& operator=(const ExportPeerLines&) = delete;
  virtual ~ExportPeerLines() = default;

  std::string answer(const std::string& line) {
    std::istringstream stream(line);
    words_.assign(std::istream_iterator<std::string>(stream), {});
    try {
      return answer();
    } catch (const Error& error) {
      return std::string(to_string(error.code()));
    } catch (const std::exception& error) {
      return error.what();
    }
  }

 protected:
  virtual std::string answer() {
    const std::string verb = word(0);
    if (verb == "export") return export_block(number(1), number(2), number(3));
    if (verb == "forget") return exports_.at(number(1)) = Export(), "forgotten";
    if (verb == "usage") return std::to_string(usage());
    if (verb == "free") return wait_until_free();
    if (verb == "import") return import(word(1), number(2));
    if (verb == "sum") return sum(imported_.at(number(1)));
    if (verb == "drop") return imported_.at(number(1)) = MemoryBlock(), "dropped";
    if (verb == "region") return make_region(number(1), number(2));
    if (verb == "open") return open_region(word(1));
    if (verb == "write") return write(number(1), number(2));
    if (verb == "cycle") return cycle(word(1), number(2));
    if (verb == "side") return make_side();
    if (verb == "echo") return echo(word(1), number(2));
    if (verb == "call") return call(word(1), number(2));
    return "what?";
  }

  std::string word(std::size_t index) const { return index < words_.size() ? words_[index] : std::string(); }
  std::size_t number(std::size_t index) const { return index < words_.size() ? std::stoul(words_[index]) : 0; }

  static bool asks(platform::DescriptorChannel& channel, const OpenRequest& request) {
    platform::Message message;
    return channel.send(bytes_of(request), {}, soon()) &&
           channel.receive(message, soon()) == platform::DescriptorChannel::Received::message;
  }

  static TimePoint soon() { return later(monotonic_clock().now(), std::chrono::seconds{10}); }

 private:
  static std::string sum(const MemoryBlock& block) { return std::to_string(checksum_of({block.data(), block.size()})); }

  std::string export_block(std::size_t bytes, std::size_t seed, std::size_t lease_ms) {
    SharedMemoryAllocator& allocator = lease_ms > 0 ? leasing_ : allocator_;
    const MemoryBlock block = allocator.allocate(bytes, "exports");
    fill_with({block.data(), block.size()}, static_cast<unsigned>(seed));
    exports_.push_back(share(block));
    return exports_.back().id();
  }

  std::size_t usage() { return allocator_.session_usage("exports") + leasing_.session_usage("exports"); }

  std::string wait_until_free() {
    while (usage() > 0) std::this_thread::yield();
    return "free";
  }

  std::string import(const std::string& id, std::size_t milliseconds) {
    imported_.push_back(import_block(id, std::chrono::milliseconds{milliseconds}).block);
    return std::to_string(imported_.size() - 1) + " " + sum(imported_.back());
  }

  std::string make_region(std::size_t bytes, std::size_t seed) {
    regions_.push_back(SharedMemoryRegion::create(bytes, {.writable = true}));
    fill_with(regions_.back().bytes(), static_cast<unsigned>(seed));
    imported_.push_back(regions_.back().block());
    return regions_.back().id();
  }

  std::string open_region(const std::string& id) {
    regions_.push_back(SharedMemoryRegion::open(id, {.writable = true}));
    imported_.push_back(regions_.back().block());
    return std::to_string(imported_.size() - 1) + " " + sum(imported_.back());
  }

  std::string write(std::size_t index, std::size_t seed) {
    fill_with({imported_.at(index).data(), imported_.at(index).size()}, static_cast<unsigned>(seed));
    return sum(imported_.at(index));
  }

  static std::string cycle(const std::string& id, std::size_t times) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < times; ++i) {
      const MemoryBlock block = import_block(id).block;
      sum += checksum_of({block.data(), block.size()});
    }
    return std::to_string(sum);
  }

  std::string make_side() {
    side_ = memory_of_one_side(allocator_);
    exports_.push_back(share(side_));
    return exports_.back().id();
  }

  std::string echo(const std::string& id, std::size_t times) {
    const MemoryBlock theirs = import_block(id).block;
    SideOfTwoRings side(side_, theirs);
    Record record;
    for (std::size_t i = 0; i < times; ++i) {
      while (!side.in.pop(record)) std::this_thread::yield();
      while (!side.out.push(record)) std::this_thread::yield();
    }
    return "echoed";
  }

  /// How many of `times` connections are answered; they stay open.
  std::string call(const std::string& address, std::size_t times) {
    std::size_t answered = 0;
    for (std::size_t i = 0; i < times; ++i) {
      try {
        channels_.push_back(platform::DescriptorChannel::connect(address, soon()));
      } catch (const Error& error) {  // turned away before it knew whom it had reached
        if (error.code() != ErrorCode::shared_memory_unavailable) throw;
        continue;
      }
      answered += asks(channels_.back(), with_header(OpenRequest{}, 1)) ? 1 : 0;
    }
    return std::to_string(answered);
  }

  std::vector<std::string> words_;
  SharedMemoryAllocator allocator_{{.spare_segments = 0}};
  SharedMemoryAllocator leasing_{{.lease_ttl = std::chrono::hours{1}, .spare_segments = 0}};
  std::vector<Export> exports_;
  std::vector<MemoryBlock> imported_;
  MemoryBlock side_;
  std::vector<SharedMemoryRegion> regions_;
  std::vector<platform::DescriptorChannel> channels_;
};

}  // namespace remotemedia::testing

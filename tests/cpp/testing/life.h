// SPDX-License-Identifier: Apache-2.0
//
// Life and Probe: a model that tells how many of its kind were made, are alive, and where they ended.

#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

namespace remotemedia::testing {

/// Of the probes of one test.
struct Life {
  std::atomic<int> made{0};
  std::atomic<int> alive{0};
  std::atomic<int> most_alive{0};
  std::atomic<std::thread::id> ended_on{std::thread::id{}};

  int ended() const { return made - alive; }
};

/// A model.
class Probe {
 public:
  explicit Probe(Life& life, std::function<void()> on_end = {}) : life_(life), on_end_(std::move(on_end)) {
    ++life_.made;
    const int alive = ++life_.alive;
    int most = life_.most_alive;
    while (most < alive && !life_.most_alive.compare_exchange_weak(most, alive)) {
    }
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;
  ~Probe() {
    if (on_end_) on_end_();
    life_.ended_on = std::this_thread::get_id();
    --life_.alive;
  }

 private:
  Life& life_;
  std::function<void()> on_end_;
};

/// A probe that says how large it is.
class SizedProbe : public Probe {
 public:
  SizedProbe(Life& life, std::size_t bytes) : Probe(life), bytes_(bytes) {}
  std::size_t memory_usage() const { return bytes_; }

 private:
  std::size_t bytes_;
};

/// A loader of probes.
inline auto probe_loader(Life& life, std::function<void()> on_end = {}) {
  return [&life, on_end = std::move(on_end)] { return std::make_unique<Probe>(life, on_end); };
}

}  // namespace remotemedia::testing

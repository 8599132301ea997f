// SPDX-License-Identifier: Apache-2.0
//
// Disturbance: who else used the CPU while something was measured, so that disturbed measurements can be thrown away.

#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>

namespace remotemedia::bench {

/// Watches the first `cpus` CPUs from its construction on. The kernel counts in ticks of 10 ms, so over 0.3 s others()
/// is right to about 0.05.
class Disturbance {
 public:
  /// `companion` is a living process that takes part in what is measured.
  explicit Disturbance(int cpus, std::optional<pid_t> companion = std::nullopt);

  /// How many of these CPUs other processes and the hypervisor (steal) took on average.
  double others() const;

  /// Seconds of CPU time that this process and the companion have used since.
  double own() const { return own_seconds() - own_; }

 private:
  double own_seconds() const;

  int cpus_;
  std::optional<clockid_t> companion_;
  std::chrono::steady_clock::time_point began_;
  double machine_;
  double own_;
};

/// Seconds of CPU time of this thread.
double thread_cpu_seconds();

/// Times that this thread gave up the CPU, or that it was taken away.
long thread_context_switches();

/// Keeps this thread on one CPU while it lives.
class PinnedTo {
 public:
  explicit PinnedTo(int cpu);
  PinnedTo(const PinnedTo&) = delete;
  PinnedTo& operator=(const PinnedTo&) = delete;
  ~PinnedTo();
};

}  // namespace remotemedia::bench

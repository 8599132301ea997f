// SPDX-License-Identifier: Apache-2.0

#include "disturbance.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

namespace remotemedia::bench {
namespace {

double seconds_of(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// CPU seconds of the first CPUs that were not idle, since boot.
double busy_seconds(int cpus) {
  std::ifstream stat("/proc/stat");
  std::string line;
  std::getline(stat, line);  // the sum over all CPUs
  double ticks = 0;
  for (int i = 0; i < cpus && std::getline(stat, line); ++i) {
    std::istringstream columns(line);
    std::string name;
    double user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0;
    columns >> name >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> steal;
    ticks += user + nice + system + irq + softirq + steal;
  }
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

void allow(const cpu_set_t& cpus) { pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus); }

const cpu_set_t& all_cpus() {
  static const cpu_set_t cpus = [] {
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    return set;
  }();
  return cpus;
}

}  // namespace

Disturbance::Disturbance(int cpus, std::optional<pid_t> companion)
    : cpus_(cpus), began_(std::chrono::steady_clock::now()), machine_(busy_seconds(cpus)) {
  clockid_t clock{};
  if (companion && clock_getcpuclockid(*companion, &clock) == 0) companion_ = clock;
  own_ = own_seconds();
}

double Disturbance::own_seconds() const {
  return seconds_of(CLOCK_PROCESS_CPUTIME_ID) + (companion_ ? seconds_of(*companion_) : 0);
}

double Disturbance::others() const {
  const double ours = own();
  const double all = busy_seconds(cpus_) - machine_;
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - began_;
  return std::max(0.0, all - ours) / passed.count();
}

double thread_cpu_seconds() { return seconds_of(CLOCK_THREAD_CPUTIME_ID); }

long thread_context_switches() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nvcsw + usage.ru_nivcsw;
}

PinnedTo::PinnedTo(int cpu) {
  const cpu_set_t& all = all_cpus();
  int seen = 0;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (!CPU_ISSET(i, &all) || seen++ != cpu % CPU_COUNT(&all)) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(i, &one);
    allow(one);
    return;
  }
}

PinnedTo::~PinnedTo() { allow(all_cpus()); }

}  // namespace remotemedia::bench

// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/model_loads.h"

#include <utility>
#include <vector>

#include "remotemedia/base/error.h"

namespace remotemedia::detail {
namespace {

constexpr std::size_t kMostWaiting = 2048;

}  // namespace

ModelLoads::~ModelLoads() {
  std::vector<std::thread> threads;
  {
    MutexLock lock(mutex_);
    for (auto& [model, line] : lines_) threads.push_back(std::move(line.thread));
  }
  for (std::thread& thread : threads) {
    if (thread.joinable()) thread.join();
  }
}

ModelLoads::Ticket ModelLoads::begin(const std::string& model, Waiter waiter) {
  static_cast<void>(models_.known(model));
  MutexLock lock(mutex_);
  if (waiting_ >= kMostWaiting) {
    throw Error(ErrorCode::rejected, std::to_string(kMostWaiting) + " calls wait for loads already");
  }
  Line& line = lines_[model];
  if (!line.runs) {
    if (line.thread.joinable()) line.thread.join();  // it has nothing more to do
    line.thread = std::thread([this, model, &line] { run(model, line); });
    line.runs = true;
  }
  if (line.last && waiter.progress) waiter.progress(*line.last);
  line.waiters.emplace(++last_ticket_, Waiting{std::move(waiter), nullptr});
  ++waiting_;
  return last_ticket_;
}

void ModelLoads::leave(const std::string& model, Ticket ticket) noexcept {
  Waiters::node_type gone;
  MutexLock lock(mutex_);
  const auto line = lines_.find(model);
  if (line == lines_.end()) return;
  gone = line->second.waiters.extract(ticket);
  if (!gone.empty()) --waiting_;
}

void ModelLoads::run(const std::string& model, Line& line) {
  while (goes_on(line)) load(model, line);
}

bool ModelLoads::goes_on(Line& line) {
  MutexLock lock(mutex_);
  line.runs = !line.waiters.empty();
  return line.runs;
}

void ModelLoads::load(const std::string& model, Line& line) {
  Waiters waiters;
  std::exception_ptr error;
  try {
    const ServedModels::Use use = models_.known(model);
    const std::shared_ptr<void> loaded = use->core.memory().load(
        [&](std::optional<double> fraction, std::string_view message) { report(model, line, fraction, message); });
    waiters = take_waiters(line);
    for (auto& [ticket, each] : waiters) {
      if (each.waiter.taken) each.lease = use->core.memory().lease(loaded, each.waiter.taken);
    }
    models_.set_loaded(model);
  } catch (...) {
    error = std::current_exception();
    waiters.merge(take_waiters(line));
  }
  for (auto& [ticket, each] : waiters) {
    if (error != nullptr) each.lease.reset();
    each.waiter.done(error, std::move(each.lease));
  }
}

ModelLoads::Waiters ModelLoads::take_waiters(Line& line) {
  Waiters waiters;
  MutexLock lock(mutex_);
  waiters.swap(line.waiters);
  waiting_ -= waiters.size();
  line.last.reset();
  return waiters;
}

void ModelLoads::report(const std::string& model, Line& line, std::optional<double> fraction,
                        std::string_view message) {
  MutexLock lock(mutex_);
  line.last = LoadProgress{model, fraction, std::string(message)};
  for (const auto& [ticket, each] : line.waiters) {
    if (each.waiter.progress) each.waiter.progress(*line.last);
  }
}

}  // namespace remotemedia::detail

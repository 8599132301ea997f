// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/model_loads.h"

#include "remotemedia/base/error.h"

namespace remotemedia::detail {
namespace {

constexpr std::size_t kMostWaiting = 64;

}  // namespace

ModelLoads::~ModelLoads() {
  std::thread thread;
  {
    MutexLock lock(mutex_);
    ending_ = true;
    changed_.notify_all();
    thread.swap(thread_);
  }
  if (thread.joinable()) thread.join();
}

void ModelLoads::begin(const std::string& model, Done done) {
  MutexLock lock(mutex_);
  if (waiting_.size() >= kMostWaiting) {
    throw Error(ErrorCode::rejected, std::to_string(kMostWaiting) + " loads wait already");
  }
  waiting_.emplace_back(model, std::move(done));
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  changed_.notify_all();
}

void ModelLoads::run() {
  for (;;) {
    std::pair<std::string, Done> next;
    {
      MutexLock lock(mutex_);
      while (waiting_.empty() && !ending_) changed_.wait(mutex_);
      if (waiting_.empty()) return;
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
    std::exception_ptr error;
    try {
      models_.load(next.first);
    } catch (...) {
      error = std::current_exception();
    }
    next.second(error);
  }
}

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/base/log.h"

#include <memory>
#include <utility>

#include "remotemedia/base/mutex.h"

namespace remotemedia {
namespace {

struct Sink {
  Mutex mutex;
  std::shared_ptr<const LogSink> current REMOTEMEDIA_GUARDED_BY(mutex);
};

// Never destroyed: threads may log until the process ends.
Sink& sink() {
  static Sink* const instance = new Sink;
  return *instance;
}

}  // namespace

void set_log_sink(LogSink replacement) {
  auto next = replacement ? std::make_shared<const LogSink>(std::move(replacement)) : nullptr;
  MutexLock lock(sink().mutex);
  sink().current.swap(next);
}

void log(LogLevel level, std::string_view message) noexcept {
  std::shared_ptr<const LogSink> current;
  {
    MutexLock lock(sink().mutex);
    current = sink().current;
  }
  if (current) (*current)(level, message);
}

}  // namespace remotemedia

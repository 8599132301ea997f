// SPDX-License-Identifier: Apache-2.0

#include "deliveries.h"

#include <utility>

#include "../gil.h"
#include "../gil_object.h"
#include "remotemedia/worker/answer_burst.h"

namespace remotemedia::python {

std::function<void()> Deliveries::of(nanobind::object done) {
  return [self = shared_from_this(), call = any_thread_callback(std::move(done))] { self->add(call); };
}

/// Whoever finds nothing waiting delivers what comes until then.
void Deliveries::add(std::function<void()> delivery) {
  {
    MutexLock lock(mutex_);
    waiting_.push_back(std::move(delivery));
    if (waiting_.size() > 1) return;
  }
  detail::AnswerBurst::at_end([self = shared_from_this()] { self->deliver(); });
}

void Deliveries::deliver() {
  std::vector<std::function<void()>> deliveries;
  const AnyThreadGil gil;
  {
    MutexLock lock(mutex_);
    deliveries.swap(waiting_);
  }
  if (!gil) return;
  for (const std::function<void()>& deliver : deliveries) deliver();
  deliveries.clear();  // with the GIL
}

}  // namespace remotemedia::python

// SPDX-License-Identifier: Apache-2.0

#include "deliveries.h"

#include <utility>

#include "../errors.h"
#include "../gil.h"
#include "calls.h"
#include "remotemedia/worker/answer_burst.h"

namespace nb = nanobind;

namespace remotemedia::python {

std::function<void(TensorMap, std::exception_ptr)> Deliveries::to(nb::object done, bool one_output) {
  auto shared = std::make_shared<GilObject>(std::move(done));
  return [self = shared_from_this(), shared, one_output](TensorMap outputs, std::exception_ptr error) {
    self->add({shared, one_output, std::move(outputs), std::move(error)});
  };
}

/// Whoever finds nothing waiting delivers what comes until then.
void Deliveries::add(Delivery delivery) {
  {
    MutexLock lock(mutex_);
    waiting_.push_back(std::move(delivery));
    if (waiting_.size() > 1) return;
  }
  detail::AnswerBurst::at_end([self = shared_from_this()] { self->deliver(); });
}

void Deliveries::deliver() {
  std::vector<Delivery> deliveries;
  const AnyThreadGil gil;
  {
    MutexLock lock(mutex_);
    deliveries.swap(waiting_);
  }
  if (!gil) return;
  for (const Delivery& delivery : deliveries) delivery.make();
  deliveries.clear();  // with the GIL
}

void Deliveries::Delivery::make() const {
  try {
    if (error != nullptr) {
      done->get()(nb::none(), exception_object(error));
    } else {
      done->get()(answer_object(outputs, one_output), nb::none());
    }
  } catch (nb::python_error& raised) {
    drop(raised, done->get());
  }
  done->reset();
}

}  // namespace remotemedia::python

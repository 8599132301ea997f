// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/load_driver.h"

#include <exception>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/registry/type_name.h"

namespace remotemedia::detail {
namespace {

// To be called while the loader's exception is being handled.
std::exception_ptr load_failed(const std::string& key) {
  std::string reason;
  try {
    throw;
  } catch (const std::exception& error) {
    reason = error.what();
  } catch (...) {
    reason = "the loader threw something that is no std::exception";
  }
  try {
    std::throw_with_nested(Error(ErrorCode::load_failed, "loading '" + key + "' failed: " + reason));
  } catch (...) {
    return std::current_exception();
  }
}

void run_loader(const std::shared_ptr<RegistryCore>& core, const std::shared_ptr<Flight>& flight,
                const Loader& loader) {
  // Not a semaphore: that of libstdc++ 12 loses calls where the system has no futex.
  const auto may_go_on = std::make_shared<std::promise<void>>();
  core->start(flight, [may_go_on] { may_go_on->set_value(); });
  may_go_on->get_future().wait();
  if (!core->is_running(*flight)) return;
  try {
    LoadedModel model;
    {
      const LoadScope scope(flight);
      // A loader may keep what it reports with: it must not keep the flight nor dangle.
      model = loader([kept = std::weak_ptr(flight)](std::optional<double> fraction, std::string_view message) {
        if (const auto alive = kept.lock()) alive->core->report(alive, fraction, message);
      });
    }
    if (model.object == nullptr) throw Error(ErrorCode::load_failed, "the loader returned null");
    core->publish(flight, std::move(model));
  } catch (...) {
    core->fail(flight, load_failed(flight->slot.key));
  }
}

}  // namespace

Hold labelled(RegistryCore& core, ModelSlot* slot, const LoadOptions& options) {
  Hold hold(slot);
  if (options.holder.empty()) return hold;
  Holder* const holder = core.label(*slot, std::make_shared<const std::string>(options.holder));
  return Hold(std::exchange(hold, Hold()).detach(), holder);
}

Hold load(const std::shared_ptr<RegistryCore>& core, std::string_view key, const std::type_info& type,
          const LoadOptions& options, const Loader& loader) {
  const TimePoint deadline = options.timeout ? later(core->clock().now(), *options.timeout) : TimePoint::max();
  while (true) {
    const std::shared_ptr<Waiter> waiter = core->ask({key, type, options, current_flight(), {}});
    if (waiter->leads && options.timeout) {
      try {
        core->run_in_background([core, flight = waiter->flight, loader] { run_loader(core, flight, loader); });
      } catch (...) {
        core->fail(waiter->flight, load_failed(waiter->flight->slot.key));
      }
    } else if (waiter->leads) {
      run_loader(core, waiter->flight, loader);
    }
    if (!core->wait(waiter, deadline)) {
      core->leave(waiter);
      throw Error(ErrorCode::deadline_exceeded,
                  "'" + std::string(key) + "' is still loading after the timeout; the load goes on for others");
    }
    ModelSlot* const slot = core->take(waiter);
    if (slot != nullptr) return labelled(*core, slot, options);
  }
}

}  // namespace remotemedia::detail

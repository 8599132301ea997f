// SPDX-License-Identifier: Apache-2.0
//
// Completion: what gRPC tells when an operation is over.

#pragma once

#include <grpcpp/completion_queue.h>

namespace remotemedia::detail {

/// The tag of an operation. Told once for each, on a thread that reads the queue.
class Completion {
 public:
  Completion() = default;
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  /// ok: whether the operation did what it should. May destroy this.
  virtual void completed(bool ok) noexcept = 0;

  void* tag() noexcept { return this; }

 protected:
  ~Completion() = default;
};

/// Tells a member function of its owner.
template <class Owner, void (Owner::*Told)(bool) noexcept>
class CompletionOf final : public Completion {
 public:
  explicit CompletionOf(Owner& owner) noexcept : owner_(owner) {}
  void completed(bool ok) noexcept override { (owner_.*Told)(ok); }

 private:
  Owner& owner_;
};

/// Tells completions until the queue is shut down and has no more.
inline void tell_completions(grpc::CompletionQueue& queue) noexcept {
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) static_cast<Completion*>(tag)->completed(ok);
}

}  // namespace remotemedia::detail

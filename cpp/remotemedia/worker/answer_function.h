// SPDX-License-Identifier: Apache-2.0
//
// AnswerFunction: what a call's answers are given to.

#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <utility>

namespace remotemedia::detail {

struct Answer;

/// As a std::function<void(Answer&&)>, which needs memory for whatever keeps an object. Copies share what they call.
///
/// Threads:  as a std::shared_ptr; calls as what is called.
class AnswerFunction {
 public:
  using OfObject = void (*)(void* object, std::uint64_t argument, Answer&& answer);

  AnswerFunction() noexcept = default;
  AnswerFunction(const AnswerFunction&) = default;
  AnswerFunction(AnswerFunction&& other) noexcept
      : object_(std::move(other.object_)),
        argument_(other.argument_),
        function_(std::exchange(other.function_, nullptr)) {}
  AnswerFunction& operator=(AnswerFunction other) noexcept {
    object_.swap(other.object_);
    argument_ = other.argument_;
    function_ = other.function_;
    return *this;
  }
  ~AnswerFunction() = default;

  /// Calls `function` with the object, which it keeps.
  ///
  /// Cost:  no memory.
  AnswerFunction(std::shared_ptr<void> object, std::uint64_t argument, OfObject function) noexcept
      : object_(std::move(object)), argument_(argument), function_(function) {}

  /// Errors:  std::bad_alloc.
  template <class Callable>
  requires std::invocable<Callable&, Answer&&> &&(!std::same_as<Callable, AnswerFunction>)
      AnswerFunction(Callable callable)  // NOLINT(google-explicit-constructor): as a std::function
      : object_(std::make_shared<Callable>(std::move(callable))),
        function_([](void* object, std::uint64_t /*argument*/, Answer&& answer) {
          (*static_cast<Callable*>(object))(std::move(answer));
        }) {}

  explicit operator bool() const noexcept { return function_ != nullptr; }
  void operator()(Answer&& answer) const { function_(object_.get(), argument_, std::move(answer)); }

 private:
  std::shared_ptr<void> object_;
  std::uint64_t argument_ = 0;
  OfObject function_ = nullptr;
};

}  // namespace remotemedia::detail

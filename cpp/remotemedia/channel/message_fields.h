// SPDX-License-Identifier: Apache-2.0
//
// MessageFields: where in a message a reader or a writer is, so that what it refuses says so.
//
//     message 'call': tensor 3: rank must be 0 to 64 and is 65
//
// The fields of each message are listed once, in *_fields.h, for readers and writers alike: what the one writes is what
// the other accepts, with the same bounds.

#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

#include "remotemedia/base/error.h"

namespace remotemedia::detail {

/// M is Of, const or not.
template <class M, class Of>
concept AnyConst = std::same_as<std::remove_const_t<M>, Of>;

/// Integers that have a width on the wire: their own.
template <class T>
concept WireInteger = std::integral<T> && !std::same_as<T, bool>;

class MessageFields {
 public:
  MessageFields(const MessageFields&) = delete;
  MessageFields& operator=(const MessageFields&) = delete;

  /// Errors:  this, always: "message 'call': <field> must be <expected> and is <found>". Neither may be a text of the
  ///          peer's, which nobody has looked at.
  [[noreturn]] void refuse(std::string_view field, std::string_view expected, std::string_view found) const;

  void require(bool holds, std::string_view field, std::string_view expected, std::string_view found) const {
    if (!holds) refuse(field, expected, found);
  }

  template <WireInteger T>
  void require_within(std::string_view field, T value, T least, T most) const {
    if (value >= least && value <= most) return;
    refuse(field, std::to_string(least) + " to " + std::to_string(most), std::to_string(value));
  }

  /// Runs `fields`, whose refusals name an item: "tensor 3".
  template <class Fields>
  void item(std::string_view kind, std::size_t number, Fields&& fields) {
    const Item outer = item_;
    item_ = {kind, number};
    fields();
    item_ = outer;
  }

 protected:
  /// `code` is what refusals have; `message` outlives this.
  MessageFields(ErrorCode code, std::string_view message) noexcept : code_(code), message_(message) {}
  ~MessageFields() = default;

 private:
  struct Item {
    std::string_view kind;
    std::size_t number = 0;
  };

  ErrorCode code_;
  std::string_view message_;
  Item item_;
};

}  // namespace remotemedia::detail

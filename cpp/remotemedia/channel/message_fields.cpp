// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/message_fields.h"

namespace remotemedia::detail {

void MessageFields::refuse(std::string_view field, std::string_view expected, std::string_view found) const {
  std::string text = "message '" + std::string(message_) + "': ";
  if (!item_.kind.empty()) text += std::string(item_.kind) + " " + std::to_string(item_.number) + ": ";
  text += std::string(field) + " must be " + std::string(expected) + " and is " + std::string(found);
  throw Error(code_, text);
}

}  // namespace remotemedia::detail

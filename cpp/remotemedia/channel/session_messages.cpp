// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/session_messages.h"

namespace remotemedia::detail {

RefusedMessage other_version(const HelloMessage& hello) {
  return {.versions = {kUnderstoodVersions.begin(), kUnderstoodVersions.end()},
          .code = ErrorCode::protocol_error,
          .text = "the client speaks version " + to_string(hello.versions) + " of the protocol, and this worker " +
                  to_string(kUnderstoodVersions)};
}

}  // namespace remotemedia::detail

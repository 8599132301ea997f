// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/models_connection.h"

namespace remotemedia::detail {

RemoteLease::~RemoteLease() = default;
ModelsConnection::~ModelsConnection() = default;

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0
//
// InferService: what the calls of one server have in common.

#pragma once

#include <memory>

#include "remotemedia/grpc/callers.h"
#include "remotemedia/oip/bytes_in_flight.h"
#include "remotemedia/oip/client_regions.h"
#include "remotemedia/oip/model_loads.h"
#include "remotemedia/oip/served_models.h"

namespace remotemedia::detail {

struct InferService {
  ServedModels& models;
  ModelLoads& loads;
  Callers& callers;
  ClientRegions& regions;
  std::shared_ptr<BytesInFlight> bytes;
};

}  // namespace remotemedia::detail

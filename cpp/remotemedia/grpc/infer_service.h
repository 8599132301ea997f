// SPDX-License-Identifier: Apache-2.0
//
// InferService: what the calls of one server have in common.

#pragma once

#include "remotemedia/grpc/callers.h"
#include "remotemedia/oip/client_regions.h"
#include "remotemedia/oip/model_loads.h"
#include "remotemedia/oip/served_models.h"

namespace remotemedia::detail {

struct InferService {
  ServedModels& models;
  ModelLoads& loads;
  Callers& callers;
  ClientRegions& regions;
};

}  // namespace remotemedia::detail

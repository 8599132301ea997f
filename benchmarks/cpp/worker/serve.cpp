// SPDX-License-Identifier: Apache-2.0
//
// worker_model MODEL ENDPOINT: serves a model of served_model.h until SIGTERM, for callers in Python.

#include <exception>
#include <iostream>

#include "remotemedia/worker/model_worker.h"
#include "served_model.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "worker_model MODEL ENDPOINT\n";
    return 2;
  }
  try {
    remotemedia::ModelWorker worker(remotemedia::bench::make_model(argv[1]), remotemedia::bench::worker_config({}));
    worker.serve({argv[2]});
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}

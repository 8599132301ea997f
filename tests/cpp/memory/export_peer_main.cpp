// SPDX-License-Identifier: Apache-2.0
//
// Another process for tests of exports: see export_peer_lines.h.

#include <iostream>
#include <string>

#include "memory/export_peer_lines.h"

int main() {
  remotemedia::testing::ExportPeerLines peer;
  for (std::string line; std::getline(std::cin, line);) std::cout << peer.answer(line) << std::endl;
}

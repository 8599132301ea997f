// SPDX-License-Identifier: Apache-2.0
//
// Another process for tests of exports: see export_peer_lines.h and posix_export_peer_lines.h.

#include <iostream>
#include <string>

#if defined(_WIN32)
#include "memory/export_peer_lines.h"
using Lines = remotemedia::testing::ExportPeerLines;
#else
#include "memory/posix_export_peer_lines.h"
using Lines = remotemedia::testing::PosixExportPeerLines;
#endif

int main() {
  Lines peer;
  for (std::string line; std::getline(std::cin, line);) std::cout << peer.answer(line) << std::endl;
}

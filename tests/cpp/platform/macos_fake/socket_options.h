// SPDX-License-Identifier: Apache-2.0
//
// Options of sockets that macOS has and Linux lacks, with the numbers that they have there.

#pragma once

#define SO_NOSIGPIPE 0x1022
#define SOL_LOCAL 0
#define LOCAL_PEERCRED 0x001
#define LOCAL_PEERPID 0x002

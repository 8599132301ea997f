# SPDX-License-Identifier: Apache-2.0
"""Sizes of the tensors that are measured from Python, and what they are called."""

MIB = 1 << 20
SENT = 10 * MIB
CONVERTED = {1024: "1 KiB", SENT: "10 MiB", 256 * MIB: "256 MiB"}
CLIENTS = (1, 4, 16)
BATCHES = (1, 4, 16)
"""Most rows of a batch of a real model."""
STREAMS = (1, 8, 64)
PROGRAMS = 4
WIRE_BYTES = {4096: "4 KiB", MIB: "1 MiB", SENT: "10 MiB"}
CALLERS = (1, 8, 64)
"""At once, by the wire."""

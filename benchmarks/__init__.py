# SPDX-License-Identifier: Apache-2.0
"""Measurements, each of them one command: `scripts/bench SUBJECT`."""

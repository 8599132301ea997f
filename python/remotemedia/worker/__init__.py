# SPDX-License-Identifier: Apache-2.0
"""Models that one process serves and others call."""

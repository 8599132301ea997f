# SPDX-License-Identifier: Apache-2.0
"""The pipelines: run in a process of their own, counted and measured there."""

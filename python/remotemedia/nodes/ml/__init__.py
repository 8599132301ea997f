# SPDX-License-Identifier: Apache-2.0
"""Nodes that run models. What they need beyond NumPy is imported when they load."""

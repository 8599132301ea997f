# SPDX-License-Identifier: Apache-2.0
"""The Python face of the C++ core."""

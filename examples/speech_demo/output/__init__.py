# SPDX-License-Identifier: Apache-2.0
"""What came of it, for people and for programs."""

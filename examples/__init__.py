# SPDX-License-Identifier: Apache-2.0
"""Programs that use the installed package `remotemedia`, run from the root of the repository."""

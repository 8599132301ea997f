# SPDX-License-Identifier: Apache-2.0
"""What tests of the registry are given."""

from collections.abc import Iterator

import pytest

import remotemedia as rm


@pytest.fixture
def registry() -> Iterator[rm.ModelRegistry]:
    """One of the test's own; nothing of it hangs when the test is over."""
    made = rm.ModelRegistry(rm.RegistryConfig(ttl_seconds=None))
    yield made
    made.clear(timeout=60)

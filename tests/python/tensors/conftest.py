# SPDX-License-Identifier: Apache-2.0
"""What tests of tensors are given."""

from collections.abc import Iterator

import pytest

import remotemedia as rm


@pytest.fixture
def allocator() -> Iterator[rm.SharedMemoryAllocator]:
    """One of the test's own."""
    made = rm.SharedMemoryAllocator()
    yield made
    made.close()

# SPDX-License-Identifier: Apache-2.0
"""What every test can rely on."""

import signal

import pytest


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """A shell starts background jobs deaf to Ctrl-C, and so would be what tests interrupt."""
    signal.signal(signal.SIGINT, signal.default_int_handler)

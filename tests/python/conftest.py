# SPDX-License-Identifier: Apache-2.0
"""What every test can rely on."""

import signal

import pytest


@pytest.fixture(scope="session", autouse=True)
def ended_by_signals() -> None:
    """A shell starts background jobs deaf to Ctrl-C, nohup to SIGHUP, and so would be what tests interrupt."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

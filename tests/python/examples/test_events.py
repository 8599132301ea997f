# SPDX-License-Identifier: Apache-2.0
"""Events on their way from the process that runs the pipelines."""

import pytest

from examples.speech_demo.run.events import Event, Failed, LeftBehind, Measured, Ready, Text, WorkerSeen, decode, encode


@pytest.mark.parametrize(
    "event",
    [
        Ready(2, 0.25),
        Text(0, 1.5, 2.0, 'said "hello"\nand \u00fc'),
        WorkerSeen("silero-vad", 17, 0.5, 60_000_000, 900, 1.5, 0.3, 2.0),
        LeftBehind((1, 2), (), ("a",)),
        Measured(0.1, 2.0, 80_000_000, 170_000_000, 300_000_000, 2),
        Failed("why"),
    ],
)
def test_an_event_is_one_line_and_comes_back_the_same(event: Event) -> None:
    line = encode(event)
    assert "\n" not in line
    assert decode(line) == event


@pytest.mark.parametrize("line", ["", "hello", "[]", "1", "{}", '{"event": "Ready"}', '{"event": "Unknown", "a": 1}'])
def test_a_line_that_is_no_event_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not an event"):
        decode(line)

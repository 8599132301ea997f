# SPDX-License-Identifier: Apache-2.0
"""A process with many live streams of speech, each of which sends a frame to the worker every 32 ms, by the clock."""

import collections
import contextlib
import functools
import itertools
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from benchmarks.python.models_speech import Samples
from remotemedia import ModelWorkerClient
from remotemedia.nodes.ml.silero_network import FRAME, SAMPLE_RATE

FRAME_SECONDS = FRAME / SAMPLE_RATE
GIVEN_UP_SECONDS = 30.0


@dataclass(frozen=True)
class Paced:
    """What a process is asked for: so many frames of each stream, `phases` (seconds, ascending) after `begin`."""

    begin: float
    phases: Sequence[float]
    frames: int


def run_streams(endpoint: str, speech: Samples, pipe: Connection) -> None:
    """Answers each Paced with the latencies of all frames, in seconds, by stream."""
    with ModelWorkerClient.connect(endpoint) as client, contextlib.suppress(EOFError):
        pipe.send(None)
        while True:
            asked = pipe.recv()
            streams = [LiveStream(client, speech) for _ in asked.phases]
            for frame in range(asked.frames):
                for stream, phase in zip(streams, asked.phases, strict=True):
                    due = asked.begin + phase + frame * FRAME_SECONDS
                    early = due - time.monotonic()
                    if early > 0:
                        time.sleep(early)
                    stream.frame_is_due(due)
            pipe.send([stream.wait_for(asked.frames) for stream in streams])


class LiveStream:
    """Sends a frame when it is due and the one before has been answered, since the state comes with the answer.

    Answers come on a thread of the client, which sends at once what waits for them.
    """

    def __init__(self, client: ModelWorkerClient, speech: Samples) -> None:
        self._client = client
        self._frames = itertools.cycle(speech)
        self._x = client.allocate((1, speech.shape[1]))
        self._state: Any = np.zeros((1, 2, 128), np.float32)
        self._changed = threading.Condition()
        self._waiting: collections.deque[float] = collections.deque()
        self._under_way = False
        self._latencies: list[float] = []
        self._error: BaseException | None = None

    def frame_is_due(self, due: float) -> None:
        with self._changed:
            if self._under_way:
                self._waiting.append(due)
                return
            self._under_way = True
        self._send(due)

    def wait_for(self, frames: int) -> list[float]:
        """The latency of each, from when it was due until its answer was here."""
        with self._changed:
            self._changed.wait_for(lambda: self._error is not None or len(self._latencies) == frames)
            if self._error is not None:
                raise self._error
            return self._latencies

    def _send(self, due: float) -> None:
        self._x.to_numpy()[0] = next(self._frames)
        inputs = {"input": self._x, "state": self._state}
        answer = self._client.infer_future(inputs, timeout=GIVEN_UP_SECONDS)
        answer.add_done_callback(functools.partial(self._answered, due))

    def _answered(self, due: float, answer: Future[Any]) -> None:
        now = time.monotonic()
        with self._changed:
            self._error = answer.exception()
            if self._error is None:
                self._state = answer.result()["stateN"]
                self._latencies.append(now - due)
            if self._error is not None or not self._waiting:
                self._under_way = False
                self._changed.notify_all()
                return
            due = self._waiting.popleft()
        self._send(due)

# SPDX-License-Identifier: Apache-2.0
"""Silero VAD for live streams: how long a frame takes, and how many streams can be heard before frames come late."""

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

from benchmarks.python.disturbance import Disturbance, cpu_clock_of
from benchmarks.python.models_served import Worker, served, silero
from benchmarks.python.models_speech import Samples, frames
from benchmarks.python.models_streams import FRAME_SECONDS, Paced, run_streams
from benchmarks.python.worker_servers import running
from benchmarks.rounds import MOST_OTHERS
from benchmarks.sizes import BATCHES, STREAMS

RECORDING = "demo-congrats"
PROCESSES = 2
SECONDS = 4.0
SECONDS_OF_A_TRIAL = 1.6
WARM_UP_SECONDS = 0.4
LEAD_SECONDS = 0.1
"""For all processes to be there when the first frame is due."""


@dataclass(frozen=True)
class Heard:
    """The latencies of all frames in seconds, ascending, and the CPUs that the worker, its clients and others took."""

    latencies: Sequence[float]
    worker_cpus: float
    client_cpus: float
    others: float

    def latency(self, percent: int) -> float:
        return self.latencies[min(len(self.latencies) * percent // 100, len(self.latencies) - 1)]

    def is_in_time(self) -> bool:
        """Whether a frame is answered before the next one is due, 99 of 100 times."""
        return self.latency(99) <= FRAME_SECONDS

    def row(self, name: str) -> dict[str, object]:
        return {
            "name": name,
            "ns": self.latency(50) * 1e9,
            "p99_ns": self.latency(99) * 1e9,
            "longest_ns": self.latency(100) * 1e9,
            "frames": len(self.latencies),
            "worker_cpus": self.worker_cpus,
            "client_cpus": self.client_cpus,
            "others": self.others,
        }


class Listeners:
    """Processes whose streams call a worker."""

    def __init__(self, worker: Worker, processes: Sequence[tuple[Connection, int]]) -> None:
        self._worker = worker
        self._pipes = [pipe for pipe, _ in processes]
        self._clients = [number for _, number in processes]
        for pipe in self._pipes:
            pipe.recv()

    def listen(self, streams: int, seconds: float = SECONDS) -> Heard:
        """To so many at once, evenly spread over the processes and over the time of a frame."""
        skipped, counted = round(WARM_UP_SECONDS / FRAME_SECONDS), round(seconds / FRAME_SECONDS)
        disturbance = self.disturbance()
        began, worker_began, clients_began = time.monotonic(), *self._cpu_seconds()
        phases = [FRAME_SECONDS * number / streams for number in range(streams)]
        for place, pipe in enumerate(self._pipes):
            pipe.send(Paced(began + LEAD_SECONDS, phases[place :: len(self._pipes)], skipped + counted))
        of_streams = [of_stream for pipe in self._pipes for of_stream in pipe.recv()]
        others, took = disturbance.others(), time.monotonic() - began
        worker_ended, clients_ended = self._cpu_seconds()
        return Heard(
            sorted(latency for of_stream in of_streams for latency in of_stream[skipped:]),
            (worker_ended - worker_began) / took,
            (clients_ended - clients_began) / took,
            others,
        )

    def keep_up(self, streams: int) -> bool:
        """Whether their frames are in time. When they are not and others used the CPU, it is tried once more."""
        heard = self.listen(streams, SECONDS_OF_A_TRIAL)
        if not heard.is_in_time() and heard.others > MOST_OTHERS:
            heard = self.listen(streams, SECONDS_OF_A_TRIAL)
        return heard.is_in_time()

    def disturbance(self) -> Disturbance:
        return Disturbance([self._worker.process, *self._clients])

    def _cpu_seconds(self) -> tuple[float, float]:
        """Of the worker, and of its clients."""
        clients = sum(time.clock_gettime(cpu_clock_of(client)) for client in self._clients)
        return time.clock_gettime(cpu_clock_of(self._worker.process)), clients


@contextlib.contextmanager
def listeners(speech: Samples) -> Iterator[Listeners]:
    with served(silero(max(BATCHES))) as worker, contextlib.ExitStack() as started:
        yield Listeners(
            worker, [started.enter_context(running(run_streams, worker.endpoint, speech)) for _ in range(PROCESSES)]
        )


def most_streams(some: Listeners, known: int) -> int:
    """Twice as many until frames come late, then halves of what lies between, to one part in sixteen.

    Args:
        some: That listen.
        known: So many keep up.
    """
    least, most = known, 2 * known or 1
    while some.keep_up(most):
        least, most = most, 2 * most
    while most - least > max(1, least // 16):
        between = (least + most) // 2
        least, most = (between, most) if some.keep_up(between) else (least, between)
    return least


def main() -> None:
    with listeners(frames(RECORDING)) as some:
        heard = {streams: some.listen(streams) for streams in STREAMS}
        known = max((streams for streams, each in heard.items() if each.is_in_time()), default=0)
        disturbance = some.disturbance()
        most: dict[str, object] = {"name": "live/most", "streams": most_streams(some, known)}
        most["others"] = disturbance.others()
    print(json.dumps([*(each.row(f"live/{streams}") for streams, each in heard.items()), most]))


if __name__ == "__main__":
    main()

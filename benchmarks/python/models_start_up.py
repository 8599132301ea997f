# SPDX-License-Identifier: Apache-2.0
"""Four programs that use Silero VAD and Whisper: how long until all are ready, and the memory that all take (PSS)."""

import contextlib
import json
import os
import re
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.python.disturbance import Disturbance
from benchmarks.python.models_mapped import write_mapped
from benchmarks.python.models_served import Command, silero, started, whisper
from benchmarks.sizes import BATCHES, PROGRAMS

GIVEN_UP_SECONDS = 120.0


@dataclass(frozen=True)
class Programs:
    """All of an arm, as they are led from step to step."""

    processes: Sequence["subprocess.Popen[bytes]"]
    steps: int
    events: int

    @staticmethod
    @contextlib.contextmanager
    def started(way: str, processes: int, arguments: Sequence[str]) -> "Iterator[Programs]":
        steps, our_steps = os.pipe()
        our_events, events = os.pipe()
        command = [sys.executable, "-m", "benchmarks.python.models_program", way, str(steps), str(events), *arguments]
        begun = [subprocess.Popen(command, pass_fds=(steps, events)) for _ in range(processes)]
        os.close(steps)
        os.close(events)
        try:
            yield Programs(begun, our_steps, our_events)
        except BaseException:
            for process in begun:
                process.kill()
            raise
        finally:
            os.close(our_steps)  # which ends those that wait for a step
            for process in begun:
                process.wait()
            os.close(our_events)

    def wait_for_all(self) -> None:
        """Until each has said that it is done with its step."""
        done, end = 0, time.monotonic() + GIVEN_UP_SECONDS
        while done < PROGRAMS:
            if any(process.poll() for process in self.processes) or time.monotonic() > end:
                raise RuntimeError("a program failed, or takes too long")
            if select.select([self.events], [], [], 0.5)[0]:
                done += len(os.read(self.events, PROGRAMS))

    def take_the_next_step(self) -> None:
        os.write(self.steps, b"." * PROGRAMS)

    def numbers(self) -> list[int]:
        """Of all processes, children included."""
        ours = [process.pid for process in self.processes]
        return [*ours, *(child for number in ours for child in children_of(number))]


def children_of(process: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{process}/task").iterdir()
        for child in (task / "children").read_text(encoding="ascii").split()
    ]


def pss_bytes(processes: Sequence[int]) -> int:
    rollups = [Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii") for process in processes]
    return sum(int(found[1]) * 1024 for rollup in rollups if (found := re.search(r"^Pss: *(\d+) kB", rollup, re.M)))


def measure(
    way: str, processes: int, commands: Sequence[Command] = (), arguments: Sequence[str] = ()
) -> list[dict[str, object]]:
    """Its times, and its memory, which nobody else disturbs. All processes, the workers included, begin together."""
    taking_part: list[int] = []
    disturbance = Disturbance(taking_part)
    began = time.perf_counter()
    with contextlib.ExitStack() as begun:
        workers = [begun.enter_context(started(command)) for command in commands]
        endpoints = [worker.endpoint for worker in workers]
        programs = begun.enter_context(Programs.started(way, processes, [*arguments, *endpoints]))
        programs.wait_for_all()
        ready = time.perf_counter()
        taking_part += [*programs.numbers(), *(worker.process for worker in workers)]
        loaded = pss_bytes(taking_part)
        resumed = time.perf_counter()
        programs.take_the_next_step()
        programs.wait_for_all()
        times = {
            "name": f"start_up/{way}",
            "start_up_seconds": ready - began,
            "listening_seconds": time.perf_counter() - resumed,
            "others": disturbance.others(),
        }
        memory = {
            "name": f"memory/{way}",
            "processes": len(taking_part),
            "loaded_bytes": loaded,
            "pss_bytes": pss_bytes(taking_part),
        }
        programs.take_the_next_step()
    return [times, memory]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_mapped(Path(folder))
        rows = measure("mapped", PROGRAMS, arguments=[folder])
    rows += [
        *measure("private", PROGRAMS),
        *measure("forked", 1),
        *measure("threads", 1),
        *measure("served", PROGRAMS, [silero(max(BATCHES)), whisper()]),
    ]
    print(json.dumps(rows))


if __name__ == "__main__":
    main()

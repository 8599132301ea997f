# SPDX-License-Identifier: Apache-2.0
"""A program that uses Silero VAD and Whisper.

    python -m benchmarks.python.models_program WAY STEPS EVENTS [FOLDER|ENDPOINT...]

STEPS and EVENTS are descriptors of pipes that all programs of an arm share. Each program loads its models, writes a
byte, reads one, listens to a recording, writes a byte, and ends when it has read another one or nobody can write it.
"""

import gc
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.python.models_speech import recording
from benchmarks.sizes import PROGRAMS
from remotemedia.nodes.ml.served_silero import ServedSilero
from remotemedia.nodes.ml.silero_network import SileroNetwork, SpeechNetwork, weights_path
from remotemedia.nodes.ml.silero_stream import SileroStream
from remotemedia.nodes.ml.whisper_network import SpeechToText, WhisperNetwork, packaged_model
from remotemedia.nodes.ml.whisper_worker import ServedWhisper

RECORDING = "vm-intro"
HEARD = "leave your message"


class Program:
    """Takes its steps when it is told to."""

    def __init__(self, steps: int, events: int) -> None:
        self._steps = steps
        self._events = events

    def run(self, vad: SpeechNetwork, whisper: SpeechToText) -> None:
        self._wait_for_the_next_step()
        samples = recording(RECORDING)
        probabilities = SileroStream(vad).push(samples)
        text = whisper.transcribe(samples, "en", 5).text
        if probabilities.max() < 0.9 or HEARD not in text:
            raise RuntimeError(f"in {RECORDING} was heard: {text!r}, speech with {probabilities.max()}")
        self._wait_for_the_next_step()

    def _wait_for_the_next_step(self) -> None:
        os.write(self._events, b".")
        os.read(self._steps, 1)


def private(program: Program) -> None:
    """Loads both."""
    program.run(own_silero(), own_whisper())


def mapped(program: Program, folder: str) -> None:
    """Loads both, Silero with weights that all programs share."""
    from benchmarks.python.models_mapped import MappedSilero  # which imports what programs with a worker do not need

    program.run(MappedSilero(Path(folder)), own_whisper())


def served(program: Program, vad: str, whisper: str) -> None:
    """Calls workers, for which it waits."""
    program.run(ServedSilero(vad, reconnect=True), ServedWhisper(whisper, reconnect=True))


def forked(program: Program) -> None:
    """All programs: children of one that has imported everything and loaded Silero. Each loads Whisper, since a child
    of a process that has loaded it has none of the threads that CTranslate2 computes with.
    """
    import faster_whisper  # noqa: F401 - for the children

    vad = own_silero()
    gc.freeze()
    processes = multiprocessing.get_context("fork")
    children = [processes.Process(target=lambda: program.run(vad, own_whisper())) for _ in range(PROGRAMS)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    if any(child.exitcode for child in children):
        raise RuntimeError("a child failed")


def threads(program: Program) -> None:
    """All programs as threads of one process, which loads both once."""
    vad, whisper = own_silero(), own_whisper()
    with ThreadPoolExecutor(PROGRAMS) as pool:
        list(pool.map(lambda _: program.run(vad, whisper), range(PROGRAMS)))


def own_silero() -> SpeechNetwork:
    return SileroNetwork(str(weights_path()))


def own_whisper() -> SpeechToText:
    return WhisperNetwork(str(packaged_model()))


WAYS: dict[str, Callable[..., None]] = {way.__name__: way for way in (private, mapped, served, forked, threads)}


def main(way: str, steps: str, events: str, arguments: Sequence[str]) -> None:
    WAYS[way](Program(int(steps), int(events)), *arguments)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])

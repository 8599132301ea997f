# SPDX-License-Identifier: Apache-2.0
"""Callers at once from one Python process, a thread and a connection each: of a worker by the wire, and of peers."""

import json
import math
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np

from benchmarks.python.disturbance import Disturbance
from benchmarks.python.wire_peers import Array, Connect, Peer, peers
from benchmarks.sizes import CALLERS, WIRE_BYTES

SECONDS = 0.8
WARM_UP_SECONDS = 0.2

Row = dict[str, object]


def measure(name: str, connect: Connect, peer: Peer, callers: int, size: int) -> Row:
    """`ns` is the time of all calls by their number, `p50_ns` and `p99_ns` are of single calls.

    A caller makes a call that counts, however long it takes, and compares its first and last answers with its own
    numbers.
    """
    clock = time.perf_counter_ns
    numbers = np.random.default_rng(1)
    arrays = [numbers.random(size // 4, dtype=np.float32) for _ in range(callers)]
    spans: list[tuple[int, int]] = []
    connected = threading.Barrier(callers + 1)
    begins: list[int] = []
    errors: list[BaseException] = []

    def repeat(array: Array) -> None:
        mine: list[tuple[int, int]] = []
        try:
            with ExitStack() as stack:
                call = connect(stack, array)
                _check(call(), array)
                connected.wait()
                connected.wait()
                (begin,) = begins
                now = clock()
                while now < begin + SECONDS * 1e9 or not mine:
                    answer = call()
                    before, now = now, clock()
                    if before >= begin:
                        mine.append((before, now))
                _check(answer, array)
        except BaseException as error:  # noqa: BLE001, who waits raises it
            errors.append(error)
            connected.abort()
        spans.extend(mine)

    threads = [threading.Thread(target=repeat, args=(array,)) for array in arrays]
    for thread in threads:
        thread.start()
    with suppress(threading.BrokenBarrierError):
        connected.wait()
        begins.append(clock() + round(WARM_UP_SECONDS * 1e9))
        connected.wait()
    time.sleep(WARM_UP_SECONDS)
    disturbance = Disturbance(descendants(peer.process))
    for thread in threads:
        thread.join()
    others = disturbance.others()
    for error in errors:
        if not isinstance(error, threading.BrokenBarrierError):
            raise error
    passed = max(after for _, after in spans) - min(before for before, _ in spans)
    times = sorted(after - before for before, after in spans)
    return {
        "name": name,
        "ns": passed / len(times),
        "p50_ns": times[len(times) // 2],
        "p99_ns": times[math.ceil(len(times) * 0.99) - 1],
        "calls": len(times),
        "others": others,
    }


def _check(answer: Array, sent: Array) -> None:
    if not np.array_equal(answer.ravel(), sent):
        raise RuntimeError("an answer is not what was sent")


def descendants(process: int) -> list[int]:
    """It, and all that it and its descendants have started."""
    found = [process]
    for each in found:
        for task in Path(f"/proc/{each}/task").iterdir():
            children = (task / "children").read_text(encoding="ascii").split()
            found.extend(int(child) for child in children)
    return found


def main() -> None:
    rows = []
    for name, start in peers().items():
        with start() as peer:
            for way, connect in peer.ways.items():
                for size in WIRE_BYTES:
                    for callers in CALLERS:
                        arm = f"callers/{name}_{way}/{size}/{callers}"
                        rows.append(measure(arm, connect, peer, callers, size))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()

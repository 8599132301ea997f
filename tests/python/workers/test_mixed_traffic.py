# SPDX-License-Identifier: Apache-2.0
"""Calls of every kind and size beside each other are all answered, each with its own answer.

REMOTEMEDIA_SOAK_ROUNDS says how many each thread makes.
"""

import asyncio
import os
import random
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any

import numpy as np

import remotemedia as rm
from tests.python.workers.served import served

ROUNDS = int(os.environ.get("REMOTEMEDIA_SOAK_ROUNDS", "150"))
THREADS = 3
IN_FLIGHT = 40
PATIENCE = 60
"""Seconds without the answer of a call after which it is lost."""

SERVED = """
    class Mixed(rm.InferenceModel):
        model_id = "mixed"

        def signature(self):
            specs = lambda: [
                rm.TensorSpec("numbers", "float64", [-1]),
                rm.TensorSpec("words", "bytes", [-1]),
                rm.TensorSpec("samples", "uint8", [-1]),
            ]
            return rm.ModelSignature(specs(), specs())

        def infer(self, inputs, context):
            words = np.empty(inputs["words"].shape, dtype=object)
            words[:] = [word[::-1] for word in inputs["words"]]
            return {"numbers": inputs["numbers"] * 2, "words": words, "samples": inputs["samples"] ^ 255}

    rm.ModelWorker(Mixed(), rm.WorkerConfig(max_queue=1000)).serve(ENDPOINT)
"""

Inputs = dict[str, Any]
Answer = Callable[[], Any]
"""Waits for the outputs of a call."""


class Caller:
    """A thread's calls, chosen by its own dice."""

    def __init__(self, client: rm.ModelWorkerClient, seed: int) -> None:
        self.client = client
        self.dice = random.Random(seed)
        self.ways = [self.infer, self.future, self.future, self.future, self.callback, self.cancelled, self.late]

    def run(self) -> int:
        in_flight: deque[tuple[Inputs, Answer]] = deque()
        answered = 0
        for _ in range(ROUNDS):
            inputs = self.inputs()
            in_flight.append((inputs, self.dice.choice(self.ways)(inputs)))
            while len(in_flight) > self.dice.randrange(IN_FLIGHT):
                answered += check(*in_flight.popleft())
        return answered + sum(check(*call) for call in in_flight)

    def inputs(self) -> Inputs:
        sizes = [0, 1, 3, 7, 8, 40, 100, 1000, 5000] * 3 + [100_000, 500_000]
        numbers, words, samples = (self.dice.choice(sizes) for _ in range(3))
        array = np.empty(min(words, 50), dtype=object)
        array[:] = [self.dice.randbytes(self.dice.choice([0, 1, 5, words])) for _ in array]
        return {
            "numbers": np.full(numbers, self.dice.random()),
            "words": array,
            "samples": np.frombuffer(self.dice.randbytes(samples), np.uint8),
        }

    def options(self) -> dict[str, Any]:
        return self.dice.choice([{}, {}, {"priority": 1}, {"session_id": "s"}, {"parameters": {"p": 1}}])

    def infer(self, inputs: Inputs) -> Answer:
        outputs = self.client.infer(inputs, timeout=PATIENCE, **self.options())
        return lambda: outputs

    def future(self, inputs: Inputs) -> Answer:
        future = self.client.infer_future(inputs, **self.options())
        return lambda: future.result(PATIENCE)

    def callback(self, inputs: Inputs) -> Answer:
        told: Future[Any] = Future()
        self.client.infer_future(inputs, **self.options()).add_done_callback(told.set_result)
        return lambda: told.result(PATIENCE).result(0)

    def cancelled(self, inputs: Inputs) -> Answer:
        future = self.client.infer_future(inputs)
        future.cancel()
        return lambda: future.result(PATIENCE)

    def late(self, inputs: Inputs) -> Answer:
        future = self.client.infer_future(inputs, timeout=self.dice.random() / 50)
        return lambda: future.result(PATIENCE)


def check(inputs: Inputs, answer: Answer) -> int:
    try:
        outputs = answer()
    except (CancelledError, rm.DeadlineExceeded):
        return 0
    assert np.array_equal(outputs["numbers"].to_numpy(), inputs["numbers"] * 2)
    assert outputs["words"].to_numpy().tolist() == [word[::-1] for word in inputs["words"]]
    assert np.array_equal(outputs["samples"].to_numpy(), inputs["samples"] ^ 255)
    return 1


async def run_on_an_event_loop(caller: Caller) -> int:
    async def call() -> int:
        inputs = caller.inputs()
        outputs = await caller.client.infer_async(inputs, timeout=PATIENCE, **caller.options())
        return check(inputs, lambda: outputs)

    answered = 0
    for _ in range(ROUNDS // 10):
        answered += sum(await asyncio.gather(*(call() for _ in range(10))))
    return answered


def test_every_call_has_its_own_answer() -> None:
    with (
        served(SERVED) as (worker, client),
        worker.connect() as other,
        ThreadPoolExecutor(2 * THREADS + 1) as threads,
    ):
        callers = [Caller(each, seed) for seed, each in enumerate([client, other] * THREADS)]
        answered = [threads.submit(caller.run) for caller in callers]
        answered.append(threads.submit(asyncio.run, run_on_an_event_loop(Caller(client, -1))))
        assert all(each.result() > 0 for each in answered)
        while client.status().queue_depth > 0:  # what was late may wait there until it is told
            pass

# SPDX-License-Identifier: Apache-2.0
"""Silero VAD, a step for each 32 ms of a stream: in this process, and in a worker for 1, 4 and 16 streams."""

import contextlib
import itertools
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import openvino

from benchmarks.python.models_clients import Call, Row, Way, measure, measure_in_turns, on_cpu
from benchmarks.python.models_served import served, silero
from benchmarks.python.models_speech import Samples, frames
from benchmarks.sizes import BATCHES, CLIENTS
from remotemedia import ModelWorkerClient
from remotemedia.nodes.ml.silero_network import STATE_SHAPE, SileroNetwork, weights_path

RECORDING = "demo-congrats"
COMPARED = 100
"""Frames in which all ways have to say the same."""

Step = Callable[[Samples], float]
"""The probability of speech in a stream's next frame."""


class OpenvinoStep:
    """OpenVINO with the worker's settings, and nothing between: tensors are bound once, and the state goes to and fro
    between two arrays, which two requests have the other way round.
    """

    def __init__(self) -> None:
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": 1,
            "ENABLE_CPU_PINNING": False,
        }
        self._compiled = openvino.Core().compile_model(weights_path(), "CPU", settings)
        self._x = np.zeros((1, 576), np.float32)
        self._probability = np.zeros((1, 1), np.float32)
        self._states = [np.zeros(STATE_SHAPE, np.float32) for _ in range(2)]  # which requests do not keep
        self._requests = itertools.cycle([self._request(*self._states), self._request(*reversed(self._states))])

    def _request(self, before: Samples, after: Samples) -> Any:
        request = self._compiled.create_infer_request()
        bound = {"input": self._x, "state": before, "output": self._probability, "stateN": after}
        for name, array in bound.items():
            request.set_tensor(name, openvino.Tensor(array, shared_memory=True))
        return request

    def __call__(self, frame: Samples) -> float:
        self._x[0] = frame
        next(self._requests).infer(share_outputs=True)
        return float(self._probability[0, 0])


def onnxruntime_step() -> Step:
    """As SileroVADNode without a worker has it."""
    network = SileroNetwork(str(weights_path()))
    state = np.zeros(STATE_SHAPE, np.float32)

    def step(frame: Samples) -> float:
        nonlocal state
        probability, state = network.step(frame, state)
        return probability

    return step


@contextlib.contextmanager
def worker_step(endpoint: str) -> Iterator[Step]:
    """A client with a connection of its own: the frame is written where the worker reads it, the state that came is
    sent back.
    """
    with ModelWorkerClient.connect(endpoint) as client:
        tensor = client.allocate((1, 576))
        x = tensor.to_numpy()
        state: Any = np.zeros((1, 2, 128), np.float32)

        def step(frame: Samples) -> float:
            nonlocal state
            x[0] = frame
            answer = client.infer({"input": tensor, "state": state})
            state = answer["stateN"]
            return float(answer["output"].to_numpy()[0, 0])

        yield step


def stream(step: Step, speech: Samples) -> Call:
    """Steps over the speech, from its beginning again at its end."""
    again = itertools.cycle(speech)
    return lambda: step(next(again))


def measure_worker(speech: Samples, clients: int, max_batch_size: int) -> Row:
    with served(silero(max_batch_size)) as worker, contextlib.ExitStack() as connected:
        steps = [connected.enter_context(worker_step(worker.endpoint)) for _ in range(clients)]
        return measure(f"vad/{clients}/{max_batch_size}", [stream(step, speech) for step in steps], worker)


def measure_one_stream(speech: Samples) -> list[Row]:
    """On each of two CPUs the network in this process, and in a worker that a client on the other one calls."""
    first, second = sorted(os.sched_getaffinity(0))[:2]
    ways, workers = [], []
    with contextlib.ExitStack() as begun:
        for cpu, other in ((first, second), (second, first)):
            with on_cpu(cpu):
                workers.append(begun.enter_context(served(silero(1))))
                here: dict[str, Step] = {"vad/openvino": OpenvinoStep(), "vad/onnxruntime": onnxruntime_step()}
            there = begun.enter_context(worker_step(workers[-1].endpoint))
            ways += [Way(name, cpu, stream(step, speech)) for name, step in here.items()]
            ways.append(Way("vad/worker", other, stream(there, speech)))
        return measure_in_turns(ways, workers)


def check_that_all_say_the_same(speech: Samples) -> None:
    with served(silero(max(BATCHES))) as worker, worker_step(worker.endpoint) as there:
        ways: list[Step] = [OpenvinoStep(), onnxruntime_step(), there]
        probabilities = np.array([[way(frame) for frame in speech[:COMPARED]] for way in ways])
    np.testing.assert_allclose(probabilities, probabilities[[0, 0, 0]], atol=1e-4)


def main() -> None:
    speech = frames(RECORDING)
    check_that_all_say_the_same(speech)
    rows = measure_one_stream(speech)
    rows += [measure_worker(speech, clients, size) for clients in CLIENTS for size in BATCHES]
    print(json.dumps(rows))


if __name__ == "__main__":
    main()

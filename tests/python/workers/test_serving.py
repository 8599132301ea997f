# SPDX-License-Identifier: Apache-2.0
"""serve() says when the model can be called, and at the end whether all accepted calls were finished."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

import remotemedia as rm
from tests.python.core.program import run
from tests.python.workers.served import Served, connect, new_endpoint

TOLD = """
def told(endpoints):
    say("ready " + " ".join(endpoints))
finished = rm.ModelWorker(Gated()).serve(ENDPOINT, on_ready=told)
say("finished" if finished else "cut off")
"""


def test_it_says_once_when_it_is_ready_and_that_all_were_answered() -> None:
    worker = Served(TOLD)
    worker.program.wait_for(f"ready {worker.endpoint}")
    with worker.connect() as client:
        running = client.infer_future([[-1]])
        worker.program.wait_for("began")
        worker.program.terminate()
        while client.status().status != "stopping":
            pass
        worker.program.tell("go")
        assert running.result().to_numpy() == -2
    lines = worker.program.end()
    assert lines[-1] == "finished"
    assert sum(line.startswith("ready") for line in lines) == 1


def test_a_second_signal_cuts_off() -> None:
    worker = Served(TOLD)
    with connect(worker.endpoint, max_retries=0) as client:
        running = client.infer_future([[-1]])
        worker.program.wait_for("began")
        worker.program.terminate()
        while client.status().status != "stopping":
            pass
        worker.program.terminate()
        with pytest.raises(rm.WorkerUnavailable):
            running.result(timeout=60)
        worker.program.tell("go")
    assert worker.program.end()[-1] == "cut off"


def test_what_on_ready_raises_ends_it_in_the_main_thread() -> None:
    worker = Served("""
        class Last(Doubler):
            def close(self):
                say("closed")
        def told(endpoints):
            say("told")
            raise LookupError("nobody to tell")
        def main():
            worker = rm.ModelWorker(Last())
            try:
                worker.serve(ENDPOINT, on_ready=told)
            except LookupError as error:
                say(str(error))
            say(worker.status().status)
            try:
                connect(timeout=0)
            except rm.WorkerUnavailable:
                say("nobody there")
        main()
    """)
    assert worker.program.end() == ["told", "closed", "nobody to tell", "terminated", "nobody there"]


class InThread(threading.Thread):
    """serve() in a thread, and what came of it."""

    def __init__(self, worker: rm.ModelWorker, endpoint: str, on_ready: Callable[[list[str]], Any]) -> None:
        super().__init__(daemon=True)
        self.worker, self.endpoint, self.on_ready = worker, endpoint, on_ready
        self.result: object = None

    def run(self) -> None:
        try:
            self.result = self.worker.serve(self.endpoint, on_ready=self.on_ready)
        except LookupError as error:
            self.result = error


def test_in_another_thread_it_is_the_same() -> None:
    ready = threading.Event()
    told: list[list[str]] = []
    worker, endpoint = rm.ModelWorker(lambda x: x), new_endpoint()

    def on_ready(endpoints: list[str]) -> None:
        told.append(endpoints)
        ready.set()

    thread = InThread(worker, endpoint, on_ready)
    thread.start()
    assert ready.wait(60)
    with connect(endpoint) as client:
        assert client.infer(1).to_numpy() == 1
    assert worker.drain()
    thread.join()
    assert (told, thread.result) == ([[endpoint]], True)
    assert worker.status().status == "terminated"


def test_in_another_thread_calls_that_were_cut_off_are_told() -> None:
    began, go = threading.Event(), threading.Event()

    def wait(x: object) -> object:
        began.set()
        go.wait()
        return x

    worker, endpoint = rm.ModelWorker(wait, rm.WorkerConfig(max_batch_size=1)), new_endpoint()
    ready = threading.Event()
    thread = InThread(worker, endpoint, lambda endpoints: ready.set())
    thread.start()
    assert ready.wait(60)
    with connect(endpoint, max_retries=0) as client:
        calls = [client.infer_future(1)]
        assert began.wait(60)
        calls.append(client.infer_future(2))
        while client.status().queue_depth < 1:
            pass
        assert not worker.drain(timeout=0)
        with pytest.raises(rm.WorkerUnavailable):
            calls[1].result(timeout=60)
        go.set()
        thread.join()
    assert thread.result is False


def test_what_on_ready_raises_ends_it_in_another_thread() -> None:
    def refuse(endpoints: list[str]) -> None:
        raise LookupError("nobody to tell")

    worker, endpoint = rm.ModelWorker(lambda x: x), new_endpoint()
    thread = InThread(worker, endpoint, refuse)
    thread.start()
    thread.join()
    assert isinstance(thread.result, LookupError)
    assert worker.status().status == "terminated"
    for _ in range(2):
        with pytest.raises(rm.WorkerUnavailable):
            connect(endpoint, timeout=0)


def test_a_worker_that_goes_with_an_error_closes_its_model_and_keeps_the_error() -> None:
    assert (
        run("""
        class Closing(rm.InferenceModel):
            model_id = "closing"
            def signature(self):
                return rm.ModelSignature([], [])
            def infer(self, inputs):
                return dict(inputs)
            def close(self):
                say(f"closed {[n * 2 for n in range(3)]}")
        for _ in range(2):
            try:
                rm.ModelWorker(Closing()).start("gopher://nowhere")
            except rm.InvalidArgument as error:
                say(str(error)[:32])
    """)
        == ["closed [0, 2, 4]", "the endpoint 'gopher://nowhere' "] * 2
    )

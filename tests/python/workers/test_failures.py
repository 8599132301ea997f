# SPDX-License-Identifier: Apache-2.0
"""What a model raises reaches its caller as text, and hurts nobody else."""

import numpy as np
import pytest

import remotemedia as rm
from tests.python.workers.served import Served, served

TORN = """
class Torn(Doubler):
    def infer(self, inputs):
        return self.answer(inputs["x"], float(inputs["x"].max()))
    def answer(self, x, kind):
        if kind == 1: raise ValueError("number one")
        if kind == 2: return {"z": x}
        if kind == 3: return {"y": x.astype(np.float64)}
        if kind == 4: return {"y": x[:, :-1], "z": x}
        if kind == 5: return x
        if kind == 6: sys.exit(3)
        if kind == 7: raise KeyboardInterrupt
        if kind == 8: raise rm.Cancelled("by the model")
        if kind == 9: return {"y": "text"}
        if kind == 10:
            try:
                raise KeyError("inner")
            except KeyError as error:
                raise RuntimeError("outer") from error
        if kind == 11:
            class Mute(Exception):
                def __str__(self): raise ValueError
            raise Mute
        return {"y": x * 2}
rm.ModelWorker(Torn()).serve(ENDPOINT)
"""


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (1, ["ValueError: number one", "Traceback (most recent call last)", "in answer"]),
        (2, ["'y'", "'z'"]),
        (3, ["float64", "float32"]),
        (4, ["'z'"]),
        (5, ["ndarray", "mapping"]),
        (6, ["SystemExit: 3"]),
        (7, ["KeyboardInterrupt"]),
        (8, ["Cancelled: by the model"]),
        (9, ["output 'y'", "float32", "bytes"]),
        (10, ["RuntimeError: outer", "KeyError: 'inner'", "direct cause"]),
        (11, ["Mute"]),
    ],
)
def test_a_model_that_fails(kind: int, texts: list[str]) -> None:
    with served(TORN) as (_, client):
        for _ in range(2):
            with pytest.raises(rm.InferenceFailed) as raised:
                client.infer([[kind]])
            assert "model 'doubler' " in str(raised.value)
            assert all(text in str(raised.value) for text in texts), raised.value
        assert client.infer([[0]]).to_numpy() == 0
        assert client.health_check()
        assert (client.status().failed_requests, client.status().total_requests) == (2, 3)


def test_a_failure_is_told_while_other_calls_are_under_way() -> None:
    serve = "rm.ModelWorker(Gated(), rm.WorkerConfig(max_concurrent_requests=1)).serve(ENDPOINT)"
    with served(serve) as (worker, client):
        first = client.infer_future([[-1.0]])
        worker.program.wait_for("began")
        for _ in range(2):
            refused = client.infer_future([[1.0]])
            with pytest.raises(rm.Rejected):
                refused.result(timeout=60)
        assert not first.done()
        worker.program.tell("go")
        assert first.result(timeout=60).to_numpy().tolist() == [[-2.0]]


def test_one_of_a_batch_fails_alone() -> None:
    with served("""
        class Picky(Gated):
            def infer(self, inputs, context):
                outputs = super().infer(inputs, context)
                if (inputs["x"] == 5).any():
                    raise ValueError("five")
                return outputs
        rm.ModelWorker(Picky(), rm.WorkerConfig(max_batch_size=16)).serve(ENDPOINT)
    """) as (worker, client):
        first = client.infer_future([[-1]])
        worker.program.wait_for("began")
        others = [client.infer_future([[number]]) for number in range(4, 7)]
        while client.status().queue_depth < 3:
            pass
        worker.program.tell("go")
        assert first.result().to_numpy() == -2
        with pytest.raises(rm.InferenceFailed, match="five"):
            others[1].result()
        assert [others[i].result().to_numpy()[0, 0] for i in (0, 2)] == [8, 12]


def test_a_model_that_cannot_warm_up_is_not_served() -> None:
    class Cold(rm.InferenceModel):
        model_id = "cold"

        def warm_up(self) -> None:
            raise OSError("no weights")

    worker = rm.ModelWorker(Cold())
    for _ in range(2):
        with pytest.raises((rm.LoadFailed, rm.RemoteMediaError)) as raised:
            worker.start()
    assert worker.status().status == "terminated"
    worker = rm.ModelWorker(Cold())
    with pytest.raises(rm.LoadFailed, match="OSError: no weights") as raised:
        worker.start()
    assert "in warm_up" in str(raised.value)


def test_health_is_the_models_own_word() -> None:
    with served("""
        class Ill(Doubler):
            def is_healthy(self):
                return not gates["ill"].is_set()
        rm.ModelWorker(Ill()).serve(ENDPOINT)
    """) as (worker, client):
        assert client.health_check()
        worker.program.tell("ill")
        while client.health_check():
            pass
        assert client.status().reason == "the model says so"
        assert client.infer([[1]]).to_numpy() == 2


def test_a_model_that_is_none() -> None:
    class Nameless(rm.InferenceModel):
        pass

    class Vague(rm.InferenceModel):
        model_id = "vague"

        def signature(self) -> rm.ModelSignature:
            return {}  # type: ignore[return-value]

    for model, error in (
        (object(), TypeError),
        (Nameless(), rm.InvalidArgument),
        (Vague(), TypeError),
        (
            rm.InferenceModel.from_callable(
                len, model_id="twice", signature=rm.ModelSignature([rm.TensorSpec("x", "int8", [])] * 2, [])
            ),
            rm.InvalidArgument,
        ),
    ):
        with pytest.raises(error):
            rm.ModelWorker(model)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        rm.ModelWorker(len, config={})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_queue"):
        rm.WorkerConfig(max_queue=0)


def test_an_address_that_somebody_serves_is_in_use() -> None:
    with Served("rm.ModelWorker(Doubler()).serve(ENDPOINT)") as worker, worker.connect() as client:
        second = rm.ModelWorker(lambda x: x)
        for _ in range(2):
            with pytest.raises(OSError, match=r".") as raised:
                second.start(worker.endpoint)
            assert raised.value.errno is not None
            second = rm.ModelWorker(lambda x: x)
        assert np.array_equal(client.infer([[1]]).to_numpy(), [[2]])


def test_nobody_at_an_endpoint() -> None:
    for _ in range(2):
        with pytest.raises(rm.WorkerUnavailable):
            rm.ModelWorkerClient.connect("unix:/no/such/worker", timeout=0)
    with pytest.raises(rm.InvalidArgument):
        rm.ModelWorkerClient.connect("pigeon:home", timeout=0)
    with pytest.raises(rm.InvalidArgument):
        rm.ModelWorkerClient.connect("unix:/a", transport="pigeon")  # type: ignore[arg-type]


@pytest.mark.shared_memory
def test_a_process_has_no_more_connections_than_are_permitted() -> None:
    with served("rm.ModelWorker(Doubler(), rm.WorkerConfig(max_connections=1)).serve(ENDPOINT)") as (worker, client):
        for _ in range(2):
            with pytest.raises(rm.Rejected, match="max_connections permits no more"):
                worker.connect()
        assert client.infer([[1]]).to_numpy() == 2

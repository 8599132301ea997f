# SPDX-License-Identifier: Apache-2.0
"""A model in another process is called with whatever holds numbers, and answers with tensors."""

from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import remotemedia as rm
from tests.python.workers.served import served

MODELS = """
class Several(rm.InferenceModel):
    model_id = "several"
    def signature(self):
        return rm.ModelSignature(
            [rm.TensorSpec("a", "int32", [-1]), rm.TensorSpec("b", "float64", [])],
            [rm.TensorSpec("sum", "float64", [-1]), rm.TensorSpec("type", "uint8", [])],
        )
    def infer(self, inputs):
        assert not inputs["a"].flags.writeable
        return {"sum": inputs["a"] + inputs["b"], "type": 7}

class Brains(rm.InferenceModel):
    model_id = "brains"
    def signature(self):
        return rm.ModelSignature([rm.TensorSpec("x", "bfloat16", [-1])], [rm.TensorSpec("y", "bfloat16", [-1])])
    def infer(self, inputs, context):
        assert context.requests[0].rows == slice(None)
        return {"y": (inputs["x"] + 1).astype(inputs["x"].dtype)}

class Given(Doubler):
    def infer(self, inputs, context):
        y = context.allocate(inputs["x"].shape, "float32")
        np.multiply(inputs["x"], 2, out=y.to_numpy())
        say(y.storage)
        return {"y": y.to_numpy() if inputs["x"][0, 0] else y}

MODELS = {
    "doubler": Doubler, "several": Several, "brains": Brains, "given": Given,
    "function": lambda: lambda x: x * 3,
    "named": lambda: rm.InferenceModel.from_callable(
        lambda a, b: (a + b, a - b), model_id="named", signature=rm.ModelSignature(
            [rm.TensorSpec("a", "float32", [-1]), rm.TensorSpec("b", "float32", [-1])],
            [rm.TensorSpec("sum", "float32", [-1]), rm.TensorSpec("difference", "float32", [-1])]),
    ),
}
"""


def model(name: str) -> str:
    return f"{MODELS}\nrm.ModelWorker(MODELS[{name!r}]()).serve(ENDPOINT)"


@pytest.fixture(scope="module")
def doubler() -> Iterator[rm.ModelWorkerClient]:
    with served(model("doubler")) as (_, client):
        yield client


@pytest.mark.parametrize("size", [1, 1000, 1 << 16, 1 << 23])
def test_an_array_is_answered(doubler: rm.ModelWorkerClient, size: int) -> None:
    x = np.arange(size, dtype=np.float32)[None]
    y = doubler.infer(x)
    assert isinstance(y, rm.TensorBuffer)
    assert y.read_only
    assert np.array_equal(y.to_numpy(), x * 2)


@pytest.mark.parametrize(
    "given",
    [
        ((np.ones((1, 3), np.float32),), {}),
        (({"x": np.ones((1, 3), np.float32)},), {}),
        ((), {"x": np.ones((1, 3), np.float32)}),
        (([[1, 1, 1]],), {}),
        (([[1.0, True, 1]],), {}),
        ((rm.TensorBuffer.from_numpy(np.ones((1, 3), np.float32)),), {}),
        ((np.ones((3, 1), np.float32).T,), {}),
        ((np.ones((1, 6), np.float32)[:, ::2],), {}),
        ((np.ones((1, 3), ">f4"),), {}),
        ((memoryview(np.ones((1, 3), np.float32).data),), {}),
    ],
)
def test_inputs_come_in_many_shapes(doubler: rm.ModelWorkerClient, given: tuple[Any, dict[str, Any]]) -> None:
    assert np.array_equal(doubler.infer(*given[0], **given[1]).to_numpy(), [[2, 2, 2]])


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (np.ones((1, 3)), "float32"),
        (np.ones(3, np.float32), "float32"),
        (np.ones((17, 3), np.float32), "1 to 8 rows"),
        ({"z": np.ones((1, 3), np.float32)}, "'x'"),
        ({}, "'x'"),
        ([["one"]], "numbers"),
        ([[1 + 1j]], "complex"),
        ([[1], [2, 3]], "input 'x'"),
        (np.array([[object()]]), "object"),
    ],
)
def test_wrong_inputs_are_refused_and_hurt_nobody(doubler: rm.ModelWorkerClient, wrong: Any, text: str) -> None:
    for _ in range(2):
        with pytest.raises(rm.InvalidTensor, match=text):
            doubler.infer(wrong)
    assert np.array_equal(doubler.infer([[1]]).to_numpy(), [[2]])
    assert doubler.health_check()


def test_what_is_no_input_at_all_is_a_type_error(doubler: rm.ModelWorkerClient) -> None:
    wrongs: list[Callable[[], object]] = [
        lambda: doubler.infer([[1]], x=[[1]]),
        lambda: doubler.infer({1: [[1]]}),
        lambda: doubler.infer([[1]], priority="high"),  # type: ignore[arg-type]
        lambda: doubler.infer([[1]], session_id=1),  # type: ignore[arg-type]
        lambda: doubler.infer([[1]], timeout="soon"),  # type: ignore[arg-type]
        lambda: doubler.infer([[1]], parameters={"a": object()}),
    ]
    for wrong in wrongs:
        for _ in range(2):
            with pytest.raises(TypeError):
                wrong()
    with pytest.raises(ValueError, match="timeout"):
        doubler.infer([[1]], timeout=-1)


def test_several_inputs_and_outputs_go_by_name() -> None:
    with served(model("several")) as (_, client):
        assert [spec.name for spec in client.signature().inputs] == ["a", "b"]
        for outputs in (client.infer({"a": [1, 2], "b": 0.5}), client.infer(a=np.array([1, 2], np.int32), b=0.5)):
            assert np.array_equal(outputs["sum"].to_numpy(), [1.5, 2.5])
            assert outputs["type"].to_numpy() == 7
        for wrong in ([1.5], [1 << 40]):
            with pytest.raises(rm.InvalidTensor, match="'a' is int32"):
                client.infer(a=wrong, b=1)
        with pytest.raises(rm.InvalidTensor, match="by name"):
            client.infer(np.zeros(1, np.int32))


def test_bfloat16_comes_as_an_array_of_ml_dtypes() -> None:
    with served(model("brains")) as (_, client):
        x = np.array([1, 2.5], ml_dtypes.bfloat16)
        for given in (x, [1, 2.5]):
            assert np.array_equal(client.infer(given).to_numpy(), x + 1)


@pytest.mark.shared_memory
def test_what_the_context_allocated_is_not_copied() -> None:
    with served(model("given")) as (worker, client):
        for first in (0, 1):
            x = client.allocate((1, 100_000))
            x.to_numpy()[:] = first
            y = client.infer(x)
            assert x.storage == y.storage == "shared_memory"
            assert (y.to_numpy() == 2 * first).all()
            worker.program.wait_for("shared_memory")


def test_a_function_is_a_model() -> None:
    with served(model("function")) as (_, client):
        assert np.array_equal(client.infer(np.arange(3)).to_numpy(), [0, 3, 6])
        assert np.array_equal(client.infer(x=np.ones(2, np.float16)).to_numpy(), [3, 3])
    with served(model("named")) as (_, client):
        outputs = client.infer(b=[1], a=[3])
        assert (outputs["sum"].to_numpy(), outputs["difference"].to_numpy()) == ([4], [2])


def test_parameters_reach_the_model() -> None:
    with served("""
        class Told(Doubler):
            def infer(self, inputs, context):
                (request,) = context.requests
                say(repr(sorted(request.parameters.items())))
                return {"y": inputs["x"]}
        rm.ModelWorker(Told()).serve(ENDPOINT)
    """) as (worker, client):
        client.infer([[1]], parameters={"b": True, "i": 3, "f": 0.5, "s": "text", "n": np.int64(4)})
        worker.program.wait_for("[('b', True), ('f', 0.5), ('i', 3), ('n', 4), ('s', 'text')]")

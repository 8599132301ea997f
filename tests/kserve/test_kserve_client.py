# SPDX-License-Identifier: Apache-2.0
"""KServe's client calls a worker as it is, over REST and over gRPC. Run by scripts/test kserve."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

from tests.python.wire.wire_server import WireServer, wire_server


@pytest.fixture
def rest_server() -> Iterator[WireServer]:
    with wire_server("serve(Doubler(), Echo(), endpoint='http://127.0.0.1:0')") as server:
        yield server


@pytest.fixture
async def rest() -> AsyncIterator[Any]:
    client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=60))
    yield client
    await client.close()


def values(dtype: str) -> np.ndarray[Any, Any]:
    return np.array([[0, 1, 3], [2, 1, 0]]).astype(dtype)


def tensor(name: str, given: np.ndarray[Any, Any], datatype: str, *, binary: bool) -> Any:
    made = InferInput(name, list(given.shape), datatype)
    made.set_data_from_numpy(given, binary_data=binary)
    return made


async def test_what_is_live_and_ready(rest: Any, rest_server: WireServer) -> None:
    assert await rest.is_server_live(rest_server.endpoint)
    assert await rest.is_server_ready(rest_server.endpoint)
    assert await rest.is_model_ready(rest_server.endpoint, "doubler")


@pytest.mark.parametrize("binary", [True, False])
async def test_a_model_answers_over_rest(rest: Any, rest_server: WireServer, binary: bool) -> None:
    for name in ("a", "b"):
        x = tensor("x", np.array([[1, 2.5]], np.float32), "FP32", binary=binary)
        asked = [RequestedOutput("y", parameters={"binary_data": binary})]
        request = InferRequest("doubler", [x], request_id=name, request_outputs=asked)
        answer = await rest.infer(rest_server.endpoint, request, model_name="doubler")
        assert (answer.id, answer.model_name) == (name, "doubler")
        assert answer.outputs[0].as_numpy().tolist() == [[2, 5]]


@pytest.mark.parametrize(
    ("dtype", "datatype"),
    [
        ("bool", "BOOL"), ("int8", "INT8"), ("int16", "INT16"), ("int32", "INT32"), ("int64", "INT64"),
        ("uint8", "UINT8"), ("uint16", "UINT16"), ("uint32", "UINT32"), ("uint64", "UINT64"), ("float16", "FP16"),
        ("float32", "FP32"), ("float64", "FP64"),
    ],
)  # fmt: skip
async def test_every_datatype_comes_back_as_it_was(
    rest: Any, rest_server: WireServer, dtype: str, datatype: str
) -> None:
    given = values(dtype)
    for binary in (True, False) if dtype != "float16" else (True,):
        request = InferRequest("echo", [tensor("x", given, datatype, binary=binary)])
        answer = await rest.infer(rest_server.endpoint, request, model_name="echo")
        assert answer.outputs[0].as_numpy().tolist() == given.tolist()


async def test_a_model_that_is_not_there_is_an_error(rest: Any, rest_server: WireServer) -> None:
    x = tensor("x", np.ones((1, 2), np.float32), "FP32", binary=False)
    for _ in range(2):
        with pytest.raises(Exception, match="no model 'other'"):
            await rest.infer(rest_server.endpoint, InferRequest("other", [x]), model_name="other")


async def test_a_model_answers_over_grpc() -> None:
    with wire_server("serve(Doubler())") as server:
        client = InferenceGRPCClient(server.target)
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready("doubler")
        raw = InferInput("x", [1, 2], "FP32")
        raw.set_data_from_numpy(np.array([[1, 2.5]], np.float32))
        for x in (raw, InferInput("x", [1, 2], "FP32", data=[1.0, 2.5])):
            answer = await client.infer(InferRequest("doubler", [x]))
            assert answer.outputs[0].as_numpy().tolist() == [[2, 5]]
        await client.close()

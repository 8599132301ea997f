# SPDX-License-Identifier: Apache-2.0
"""Calls over HTTP, by Triton's own client and with JSON by hand."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
import urllib3
from tritonclient.utils import InferenceServerException

from tests.python.wire.wire_server import WireServer, wire_server

HTTP = "endpoint='http://127.0.0.1:0'"
IN_JSON = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"]
NAMES = {"bool": "BOOL", "float16": "FP16", "bfloat16": "BF16", "float32": "FP32", "float64": "FP64"}
EXTREMES = {"bool": (False, True), "float32": (-3.4e38, 1.5e-45), "float64": (-1.7e308, 5e-324)}


def datatype(dtype: str) -> str:
    return NAMES.get(dtype, dtype.upper())


def values_of(dtype: str) -> np.ndarray[Any, Any]:
    if dtype in ("float16", "bfloat16"):
        return np.array([[1.5, -2.0, 0.0], [3.0, 4.0, 5.0]], dtype=getattr(ml_dtypes, dtype, dtype))
    low, high = EXTREMES.get(dtype) or (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return np.array([[low, high, 0], [1, 0, 1]], dtype=dtype)


def tensor(name: str, values: np.ndarray[Any, Any], binary: bool = True) -> triton.InferInput:
    made = triton.InferInput(name, list(values.shape), datatype(values.dtype.name))
    made.set_data_from_numpy(values, binary_data=binary)
    return made


@contextlib.contextmanager
def http_client(models: str) -> Iterator[tuple[WireServer, triton.InferenceServerClient]]:
    with wire_server(f"serve({models}, {HTTP})") as server:
        client = triton.InferenceServerClient(server.target, concurrency=8)
        try:
            yield server, client
        finally:
            client.close()


def asked(server: WireServer, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
    """Status and JSON of an answer; a POST where there is a body."""
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    method = "GET" if body is None else "POST"
    answer = urllib3.request(method, server.endpoint + path, body=data, retries=False, timeout=60, **options)
    return answer.status, json.loads(answer.data or b"null")


@pytest.mark.parametrize("binary", [True, False])
def test_a_call_is_answered_with_its_id_and_model(binary: bool) -> None:
    with http_client("Doubler()") as (_, client):
        for name in ("a", "b"):
            x = tensor("x", np.ones((1, 2), np.float32), binary)
            y = triton.InferRequestedOutput("y", binary_data=binary)
            answer = client.infer("doubler", [x], outputs=[y], request_id=name)
            told = answer.get_response()
            assert (told["model_name"], told["model_version"], told["id"]) == ("doubler", "1", name)
            assert answer.as_numpy("y").tolist() == [[2, 2]]


@pytest.mark.parametrize("dtype", [*IN_JSON, "float16"])
def test_binary_elements_of_every_datatype_come_back_as_they_were(dtype: str) -> None:
    with http_client("Echo()") as (_, client):
        values = values_of(dtype)
        answer = client.infer("echo", [tensor("x", values)])
        assert answer.get_output("x")["datatype"] == datatype(dtype)
        assert answer.as_numpy("x").tobytes() == values.tobytes()


@pytest.mark.parametrize("dtype", IN_JSON)
def test_json_elements_of_every_datatype_come_back_as_they_were(dtype: str) -> None:
    with wire_server(f"serve(Echo(), {HTTP})") as server:
        values = values_of(dtype)
        for data in (values.tolist(), values.ravel().tolist()):
            given = {"name": "x", "datatype": datatype(dtype), "shape": [2, 3], "data": data}
            status, answer = asked(server, "/v2/models/echo/infer", {"inputs": [given]})
            assert status == 200
            (output,) = answer["outputs"]
            assert (output["datatype"], output["shape"]) == (datatype(dtype), [2, 3])
            assert np.array(output["data"], dtype=dtype).tobytes() == values.tobytes()


def echoed(server: WireServer, name: str, raw: bytes, **asks: Any) -> tuple[int, bytes]:
    """Status and body of an answer to one element that came as bytes."""
    parameters = {"binary_data_size": len(raw)}
    given = {"inputs": [{"name": "x", "datatype": name, "shape": [1], "parameters": parameters}], **asks}
    head = json.dumps(given).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    answer = urllib3.request("POST", server.endpoint + "/v2/models/echo/infer", body=head + raw, headers=headers)
    return answer.status, answer.data


def test_elements_without_json_come_as_bytes_unless_json_was_asked_for() -> None:
    as_json = [{"name": "x", "parameters": {"binary_data": False}}]
    with wire_server(f"serve(Echo(), {HTTP})") as server:
        for name, raw in (("FP16", b"\0\x3c"), ("BF16", b"\x80\x3f")):  # 1
            status, body = echoed(server, name, raw)
            assert status == 200
            assert body.endswith(raw)
            status, body = echoed(server, name, raw, outputs=as_json)
            assert status == 400
            assert b"binary data" in body
        nan = b"\0\0\xc0\x7f"
        status, body = echoed(server, "FP32", nan)
        assert status == 400
        assert b"no finite number" in body
        status, body = echoed(server, "FP32", nan, parameters={"binary_data_output": True})
        assert status == 200
        assert body.endswith(nan)


def test_each_output_comes_as_it_was_asked_for() -> None:
    with http_client("Echo()") as (_, client):
        inputs = [tensor(name, np.full((2,), n, np.int32)) for n, name in enumerate(("a", "b", "c"))]
        outputs = [triton.InferRequestedOutput(name, binary_data=name == "b") for name in ("c", "b")]
        answer = client.infer("echo", inputs, outputs=outputs)
        assert [each["name"] for each in answer.get_response()["outputs"]] == ["c", "b"]
        assert answer.get_output("c")["data"] == [2, 2]
        assert answer.get_output("b")["parameters"] == {"binary_data_size": 8}
        assert answer.as_numpy("b").tolist() == [1, 1]


def test_large_tensors_go_both_ways() -> None:
    with http_client("Echo()") as (_, client):
        for _ in range(2):
            values = np.arange(4_000_000, dtype=np.float32).reshape(1000, 4000)
            assert np.array_equal(client.infer("echo", [tensor("x", values)]).as_numpy("x"), values)
        empty = np.zeros((0, 3), np.float32)
        assert client.infer("echo", [tensor("x", empty)]).as_numpy("x").shape == (0, 3)


def test_what_a_server_and_its_models_are() -> None:
    with http_client("Doubler(), Sums()") as (server, client):
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("doubler")
        assert client.is_model_ready("doubler", "1")
        assert not client.is_model_ready("doubler", "2")
        assert not client.is_model_ready("other")
        about = client.get_server_metadata()
        assert about["name"] == "remotemedia"
        assert {"binary_tensor_data", "parameters"} <= set(about["extensions"])
        assert client.get_model_metadata("doubler") == {
            "name": "doubler",
            "versions": ["1"],
            "platform": "remotemedia",
            "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, -1]}],
            "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, -1]}],
        }
        config = client.get_model_config("sums")
        assert config["input"] == [{"name": "x", "data_type": "TYPE_INT64", "dims": [1]}]
        assert config["sequence_batching"] == {}
        assert "sequence_batching" not in client.get_model_config("doubler")
        assert [each["name"] for each in client.get_model_repository_index()] == ["doubler", "sums"]
        assert client.get_system_shared_memory_status() == []
        for name in ("", "a"):
            client.unregister_cuda_shared_memory(name)
            assert client.get_cuda_shared_memory_status() == []
        x = tensor("x", np.ones((3, 2), np.float32))
        client.infer("doubler", [x])
        (counted,) = client.get_inference_statistics("doubler")["model_stats"]
        assert (counted["inference_count"], counted["execution_count"]) == (3, 1)
        assert counted["inference_stats"]["success"]["count"] == 1
        assert len(client.get_inference_statistics()["model_stats"]) == 2
        for path in ("/v2/models/other", "/v2/models/doubler/versions/7", "/v2/no", "/no", "/v2/models/doubler/no"):
            assert asked(server, path)[0] == 404
        assert asked(server, "/v2/models/doubler/infer")[0] == 405
        assert asked(server, "/v2/health/live", {})[0] == 405
        assert asked(server, "/v2/cudasharedmemory/unregister")[0] == 405
        for path in ("/v2/cudasharedmemory/region/a/register", "/v2/cudasharedmemory/a/unregister"):
            assert asked(server, path, {})[0] in {404, 405}
        assert asked(server, "/v2/repository/models/doubler/unload")[0] == 405


def test_a_sequence_is_a_session_by_whatever_connection() -> None:
    with wire_server(f"serve(Sums(), {HTTP})") as server:
        for sequence in (7, "seven"):
            sums = []
            for n in range(3):
                client = triton.InferenceServerClient(server.target)
                options = {"sequence_id": sequence, "sequence_start": n == 0, "sequence_end": n == 2}
                answer = client.infer("sums", [tensor("x", np.array([n + 1], np.int64))], **options)
                sums.append(int(answer.as_numpy("sum")[0]))
                client.close()
            assert sums == [1, 3, 6]
        server.program.wait_for("closed seven at 6")


def test_errors_say_what_was_wrong_and_others_are_served() -> None:
    with http_client("Doubler(), Echo()") as (_, client):
        good = tensor("x", np.ones((1, 2), np.float32))
        for wrong, why in (
            ([tensor("z", np.ones((1, 2), np.float32))], "x"),
            ([tensor("x", np.ones((1, 2), np.float64))], "float64"),
            ([], "x"),
        ):
            for _ in range(2):
                with pytest.raises(InferenceServerException, match=why) as raised:
                    client.infer("doubler", wrong)
                assert raised.value.status() == "400"
        with pytest.raises(InferenceServerException, match="no model 'other'") as raised:
            client.infer("other", [good])
        assert raised.value.status() == "404"
        with pytest.raises(InferenceServerException, match="'q'"):
            client.infer("doubler", [good], outputs=[triton.InferRequestedOutput("q")])
        assert client.infer("doubler", [good]).as_numpy("y").tolist() == [[2, 2]]


def test_a_timeout_ends_a_call_that_waits() -> None:
    with http_client("Gated()") as (server, client), ThreadPoolExecutor(1) as pool:
        x = {"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [-1]}
        first = pool.submit(asked, server, "/v2/models/doubler/infer", {"inputs": [x]})
        server.program.wait_for("began")
        for _ in range(2):
            with pytest.raises(InferenceServerException) as raised:
                client.infer("doubler", [tensor("x", np.ones((1, 1), np.float32))], timeout=1000)
            assert raised.value.status() == "504"
        server.program.tell("go")
        status, answer = first.result()
        assert (status, answer["outputs"][0]["data"]) == (200, [-2])


async def test_many_calls_at_once_by_the_client_of_asyncio() -> None:
    with wire_server(f"serve(Doubler(), {HTTP})") as server:
        async with triton_aio.InferenceServerClient(server.target) as client:

            async def doubled(n: int) -> float:
                x = triton_aio.InferInput("x", [1, 1], "FP32")
                x.set_data_from_numpy(np.full((1, 1), n, np.float32))
                return float((await client.infer("doubler", [x])).as_numpy("y")[0, 0])

            assert await asyncio.gather(*(doubled(n) for n in range(200))) == [2.0 * n for n in range(200)]

# SPDX-License-Identifier: Apache-2.0
"""Calls by each of Triton's clients: tensors, outputs, ids and parameters."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import ml_dtypes
import numpy as np
import pytest
import urllib3
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc import service_pb2_grpc as stubs

from tests.triton.model_behaviour import DATATYPES, NUMPY
from tests.triton.served import Client, Server, client_of

TYPED = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
    "INT64": "int64_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
    "UINT64": "uint64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents",
}  # fmt: skip


def ones(*shape: int) -> np.ndarray[Any, Any]:
    return np.ones(shape, dtype=np.float32)


def values_of(datatype: str) -> np.ndarray[Any, Any]:
    """Small and large ones, two rows of three."""
    if datatype == "BF16":
        return np.array([[0, 1, -2], [1.5, 256, 3]], dtype=ml_dtypes.bfloat16)
    dtype = np.dtype(NUMPY.get(datatype, datatype.lower()))
    if dtype.kind in "iu":
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        return np.array([[low, high, 0], [1, 2, 3]], dtype=dtype)
    return np.array([[0, 1, -2], [1.5, 256, 3]]).astype(dtype)


@pytest.mark.parametrize("rows", [1, 3, 16])
def test_a_call_is_answered(client: Client, rows: int) -> None:
    x = ones(rows, 4) * np.arange(4, dtype=np.float32)
    for _ in range(2):
        assert client.infer("doubler", [client.tensor("x", x, "FP32")]).as_numpy("y").tolist() == (x * 2).tolist()


@pytest.mark.parametrize("request_id", ["", "seven", "a b/c", "ü"])
def test_an_answer_has_the_id_of_its_request_and_the_name_of_its_model(client: Client, request_id: str) -> None:
    told = client.infer("doubler", [client.tensor("x", ones(1, 2), "FP32")], request_id=request_id).get_response()
    if client.over_http:
        told_id = told.get("id", "")
        assert (told["model_name"], told["model_version"]) == ("doubler", "1")
    else:
        told_id = told.id
        assert (told.model_name, told.model_version) == ("doubler", "1")
    assert told_id == request_id


@pytest.mark.parametrize("datatype", DATATYPES)
def test_bytes_of_each_datatype_come_back(client: Client, datatype: str) -> None:
    sent = values_of(datatype)
    for values in (sent, sent[:1, :1]):
        result = client.infer(f"identity_{datatype}", [client.tensor("x", values, datatype)])
        output = result.get_output("y")
        assert (output["datatype"] if client.over_http else output.datatype) == datatype
        assert result.as_numpy("y").astype(sent.dtype).tobytes() == values.tobytes()


@pytest.mark.parametrize("datatype", TYPED)
def test_typed_contents_of_each_datatype_come_back_raw(server: Server, datatype: str) -> None:
    values = values_of(datatype)
    request = messages.ModelInferRequest(model_name=f"identity_{datatype}")
    given = request.inputs.add(name="x", datatype=datatype, shape=values.shape)
    getattr(given.contents, TYPED[datatype]).extend(values.ravel().tolist())
    with grpc.insecure_channel(server.grpc) as channel:
        response = stubs.GRPCInferenceServiceStub(channel).ModelInfer(request)
    assert list(response.raw_output_contents) == [values.tobytes()]
    assert not response.outputs[0].HasField("contents")


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
@pytest.mark.parametrize("datatype", ["FP32", "INT8"])
def test_a_tensor_without_elements_comes_back(
    server: Server, client: Client, shape: tuple[int, int], datatype: str
) -> None:
    values = np.zeros(shape, dtype=values_of(datatype).dtype)
    result = client.infer(f"identity_{datatype}", [client.tensor("x", values, datatype)])
    output = result.get_output("y")
    told = output["shape"] if client.over_http else list(output.shape)
    assert told == list(shape)


def in_order(client: Client, names: list[str]) -> list[str]:
    inputs = [client.tensor(name, ones(2), "FP32") for name in ("a", "b")]
    asked = [client.output(name) for name in names] or None
    result = client.infer("pair", inputs, outputs=asked)
    response = result.get_response()
    outputs = response["outputs"] if client.over_http else response.outputs
    order = [each["name"] if client.over_http else each.name for each in outputs]
    values = {"sum": [2, 2], "difference": [0, 0], "product": [1, 1]}
    for name in order:
        assert result.as_numpy(name).tolist() == values[name]
    return order


@pytest.mark.parametrize(
    "names", [[], ["sum"], ["product", "sum"], ["product", "difference", "sum"], ["sum", "difference", "product"]]
)
def test_the_outputs_that_are_asked_for_come(server: Server, client: Client, names: list[str]) -> None:
    wanted = names or ["sum", "difference", "product"]
    order = in_order(client, names)
    assert sorted(order) == sorted(wanted)
    in_their_order = "as asked" if order == wanted else "as the model gives them"
    server.check(f"the order of outputs {names}", in_their_order, "as asked")


def test_a_body_without_json_is_the_only_input(server: Server) -> None:
    for values in (np.ones(3, np.float32), np.ones(1, np.float32)):
        answer = urllib3.request(
            "POST",
            f"http://{server.http}/v2/models/doubler/infer",
            body=values.tobytes(),
            headers={"Inference-Header-Content-Length": "0"},
        )
        length = int(answer.headers["Inference-Header-Content-Length"])
        (output,) = json.loads(answer.data[:length])["outputs"]
        assert (answer.status, output["shape"]) == (200, [1, len(values)])
        assert answer.data[length:] == (values * 2).tobytes()


@pytest.mark.parametrize("datatype", [*TYPED, "FP16", "BF16"])
@pytest.mark.parametrize("binary", [True, False, None])
def test_an_output_comes_as_it_was_asked_for(server: Server, datatype: str, binary: bool | None) -> None:
    values = values_of(datatype)
    head: dict[str, Any] = {
        "inputs": [
            {"name": "x", "shape": [2, 3], "datatype": datatype, "parameters": {"binary_data_size": values.nbytes}}
        ]
    }
    if binary is not None:
        head["outputs"] = [{"name": "y", "parameters": {"binary_data": binary}}]
    body = json.dumps(head).encode()
    answer = urllib3.request(
        "POST",
        f"http://{server.http}/v2/models/identity_{datatype}/infer",
        body=body + values.tobytes(),
        headers={"Inference-Header-Content-Length": str(len(body))},
    )
    length = int(answer.headers.get("Inference-Header-Content-Length", len(answer.data)))
    told = str(answer.status) if answer.status != 200 else "JSON" if length == len(answer.data) else "bytes"
    if told == "JSON":
        (output,) = answer.json()["outputs"]
        assert np.array(output["data"], dtype=values.dtype).tolist() == values.ravel().tolist()
    elif told == "bytes":
        assert answer.data[length:] == values.tobytes()
    asked = {True: "bytes", False: "JSON", None: "whatever"}[binary]
    without_json = datatype in {"FP16", "BF16"}
    wanted = "bytes" if binary else "400" if without_json else "JSON"
    server.check(f"{datatype} as {asked}", told, wanted)


@pytest.mark.parametrize("nested", [True, False])
def test_json_of_lists_in_lists_is_the_same_as_one_list(server: Server, nested: bool) -> None:
    values = values_of("FP32")
    given = {"name": "x", "shape": [2, 3], "datatype": "FP32", "data": (values if nested else values.ravel()).tolist()}
    answer = urllib3.request("POST", f"http://{server.http}/v2/models/identity_FP32/infer", json={"inputs": [given]})
    assert answer.status == 200
    (output,) = answer.json()["outputs"]
    assert (output["shape"], output["data"]) == ([2, 3], values.ravel().tolist())


@pytest.mark.parametrize("ask", [None, True, False])
@pytest.mark.parametrize("of_all", [None, True, False])
def test_bytes_are_asked_for_by_output_or_for_all(server: Server, ask: bool | None, of_all: bool | None) -> None:
    body: dict[str, Any] = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [1]}]}
    if of_all is not None:
        body["parameters"] = {"binary_data_output": of_all}
    if ask is not None:
        body["outputs"] = [{"name": "y", "parameters": {"binary_data": ask}}]
    answer = urllib3.request("POST", f"http://{server.http}/v2/models/doubler/infer", body=json.dumps(body).encode())
    assert answer.status == 200
    length = int(answer.headers.get("Inference-Header-Content-Length", len(answer.data)))
    told = "json" if length == len(answer.data) else "binary"
    wanted = ask if ask is not None else bool(of_all)
    server.check(f"binary_data {ask}, binary_data_output {of_all}", told, "binary" if wanted else "json")


@pytest.mark.parametrize("value", [5, -3, 2**40])
def test_parameters_reach_the_model(client: Client, value: int) -> None:
    x = client.tensor("x", np.array([1]), "INT64")
    assert client.infer("adds", [x], parameters={"add": value}).as_numpy("y").tolist() == [1 + value]
    assert client.infer("adds", [x], parameters={"other": "text", "more": True}).as_numpy("y").tolist() == [1]


def test_calls_of_many_threads_are_each_answered(server: Server, plain_client: Client) -> None:
    def doubled(thread: int) -> list[float]:
        with client_of(server, plain_client.way) as own:
            return [
                float(own.infer("doubler", [own.tensor("x", ones(1, 1) * (thread + n), "FP32")]).as_numpy("y")[0, 0])
                for n in range(20)
            ]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(doubled, range(0, 8000, 1000)))
    assert answers == [[2.0 * (thread + n) for n in range(20)] for thread in range(0, 8000, 1000)]

# SPDX-License-Identifier: Apache-2.0
"""Requests by hand, which Triton's clients would not send, over gRPC and over HTTP."""

import json
from dataclasses import dataclass, field
from typing import Any

import grpc
import urllib3
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc import service_pb2_grpc as stubs

from tests.triton.served import Server


@dataclass(frozen=True)
class Input:
    """As the protocol says; `raw` goes as bytes, None of them not at all."""

    name: str = "x"
    shape: list[int] = field(default_factory=lambda: [1, 2])
    datatype: str = "FP32"
    raw: bytes | None = b"\0\0\x80\x3f" * 2


@dataclass(frozen=True)
class Request:
    inputs: list[Input] = field(default_factory=lambda: [Input()])
    model: str = "doubler"
    version: str = ""
    outputs: list[str] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)


def code_of(server: Server, way: str, request: Request) -> str:
    """What it is answered with: a name of gRPC's or a status of HTTP's."""
    return _over_http(server, request) if way == "http" else sent(server, message_of(request))


def message_of(request: Request) -> messages.ModelInferRequest:
    made = messages.ModelInferRequest(model_name=request.model, model_version=request.version)
    for each in request.inputs:
        made.inputs.add(name=each.name, shape=each.shape, datatype=each.datatype)
        if each.raw is not None:
            made.raw_input_contents.append(each.raw)
    for name in request.outputs:
        made.outputs.add(name=name)
    for name, value in request.parameters.items():
        kind = {bool: "bool_param", int: "int64_param", str: "string_param"}[type(value)]
        setattr(made.parameters[name], kind, value)
    return made


def sent(server: Server, message: messages.ModelInferRequest) -> str:
    """The code of the answer."""
    with grpc.insecure_channel(server.grpc) as channel:
        try:
            stubs.GRPCInferenceServiceStub(channel).ModelInfer(message, timeout=60)
        except grpc.RpcError as error:
            return str(error.code().name)
        return "OK"


def _over_http(server: Server, request: Request) -> str:
    inputs = []
    for each in request.inputs:
        given: dict[str, Any] = {"name": each.name, "shape": each.shape, "datatype": each.datatype}
        inputs.append(given if each.raw is None else {**given, "parameters": {"binary_data_size": len(each.raw)}})
    body: dict[str, Any] = {"inputs": inputs, "parameters": request.parameters}
    if request.outputs:
        body["outputs"] = [{"name": name} for name in request.outputs]
    version = f"/versions/{request.version}" if request.version else ""
    raw = b"".join(each.raw or b"" for each in request.inputs)
    return posted(server, f"/v2/models/{request.model}{version}/infer", json.dumps(body).encode(), raw)


def posted(server: Server, path: str, body: bytes, raw: bytes = b"", length: str | None = None) -> str:
    """The status of the answer to JSON, and to bytes behind it. length: what is said of the JSON's instead."""
    if length is None:
        length = str(len(body)) if raw else ""
    headers = {"Inference-Header-Content-Length": length} if length else {}
    answer = urllib3.request(
        "POST", f"http://{server.http}{path}", body=body + raw, headers=headers, retries=False, timeout=60
    )
    return str(answer.status)

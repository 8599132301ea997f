# SPDX-License-Identifier: Apache-2.0
"""Models that Triton's clients unload and load, over gRPC and over HTTP."""

from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.utils import InferenceServerException

import remotemedia as rm
from tests.python.programs.model_worker_program import LINEAR_PLUGIN, ModelWorkerProgram
from tests.python.wire.wire_server import wire_server

CLIENTS: dict[str, Any] = {"grpc": tritonclient.grpc, "http": tritonclient.http}


@pytest.fixture(params=["grpc", "http"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def answer(way: str, client: Any, model: str) -> list[float]:
    x = CLIENTS[way].InferInput("x", [1, 2], "FP32")
    x.set_data_from_numpy(np.array([[1, 2]], np.float32))
    (row,) = client.infer(model, [x]).as_numpy("y").tolist()
    return list(row)


def states(client: Any) -> dict[str, tuple[str, str]]:
    """State and reason by model."""
    index = client.get_model_repository_index()
    if isinstance(index, list):
        return {each["name"]: (each["state"], each.get("reason", "")) for each in index}
    return {each.name: (each.state, each.reason) for each in index.models}


def test_an_unloaded_model_takes_no_calls_until_it_is_loaded(way: str) -> None:
    with wire_server(f"serve(Doubler(), Echo(), endpoint='{way}://127.0.0.1:0')") as server:
        client = CLIENTS[way].InferenceServerClient(server.target)
        for _ in range(2):
            assert answer(way, client, "doubler") == [2, 4]
            client.unload_model("doubler")
            client.unload_model("doubler")
            assert not client.is_model_ready("doubler")
            assert states(client) == {"doubler": ("UNAVAILABLE", "unloaded"), "echo": ("READY", "")}
            for _ in range(2):
                with pytest.raises(InferenceServerException, match="was unloaded"):
                    answer(way, client, "doubler")
            assert client.is_server_ready()
            assert client.is_model_ready("echo")
            client.load_model("doubler")
            assert client.is_model_ready("doubler")
            assert states(client)["doubler"] == ("READY", "")
        client.close()


def test_a_model_that_is_not_there_can_be_neither_loaded_nor_unloaded(way: str) -> None:
    with wire_server(f"serve(Doubler(), endpoint='{way}://127.0.0.1:0')") as server:
        client = CLIENTS[way].InferenceServerClient(server.target)
        for act in (client.load_model, client.unload_model):
            for _ in range(2):
                with pytest.raises(InferenceServerException, match="no model 'other'"):
                    act("other")
        with pytest.raises(InferenceServerException, match="without parameters"):
            client.load_model("doubler", config="{}")
        assert answer(way, client, "doubler") == [2, 4]
        client.close()


def test_health_tells_of_an_unloaded_model() -> None:
    with wire_server("serve(Doubler(), Echo())") as server, grpc.insecure_channel(server.target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        with tritonclient.grpc.InferenceServerClient(server.target) as client:
            for act, status in ((client.unload_model, "NOT_SERVING"), (client.load_model, "SERVING")):
                act("doubler")
                told = stub.Check(health_pb2.HealthCheckRequest(service="doubler")).status
                assert health_pb2.HealthCheckResponse.ServingStatus.Name(told) == status
                assert stub.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING


def test_our_own_client_is_told_of_an_unloaded_model() -> None:
    with (
        wire_server("serve(Doubler())") as server,
        tritonclient.grpc.InferenceServerClient(server.target) as triton,
        rm.ModelWorkerClient.connect(server.endpoint, transport="grpc") as client,
    ):
        triton.unload_model("doubler")
        for _ in range(2):
            with pytest.raises((rm.WorkerUnavailable, rm.ModelNotFound), match="was unloaded"):
                client.infer([[1, 2]])
        triton.load_model("doubler")
        assert client.infer([[1, 2]]).to_numpy().tolist() == [[2, 4]]


def test_the_model_of_a_file_leaves_memory_and_comes_back(way: str, tmp_path: Path) -> None:
    file = tmp_path / "sums.linear"
    file.write_text("2 2  1 1  1 0")
    program = ModelWorkerProgram(
        *("--model", f"sums={file}", "--backend", LINEAR_PLUGIN, "--endpoint", f"{way}://127.0.0.1:0")
    )
    client = CLIENTS[way].InferenceServerClient(program.endpoint.removeprefix(f"{way}://"))
    assert answer(way, client, "sums") == [3, 1]
    for _ in range(2):
        client.unload_model("sums")
        client.load_model("sums")
        assert answer(way, client, "sums") == [3, 1]
    client.unload_model("sums")
    file.write_text("this is no model")
    for _ in range(2):
        with pytest.raises(InferenceServerException, match="sums"):
            client.load_model("sums")
        assert not client.is_model_ready("sums")
    file.write_text("2 2  1 1  1 0")
    client.load_model("sums")
    assert answer(way, client, "sums") == [3, 1]
    client.close()
    log = program.end()[1]
    loaded = [line["message"] for line in log if line["message"].startswith("loaded 'sums'")]
    unloaded = [line["message"] for line in log if line["message"].startswith("unloaded 'sums'")]
    assert len(loaded) == 4
    assert len(unloaded) == 4

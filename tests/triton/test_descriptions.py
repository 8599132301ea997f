# SPDX-License-Identifier: Apache-2.0
"""What a server and its models are, and what they have done."""

from typing import Any

import pytest

from tests.triton.model_behaviour import MODELS, Tensor
from tests.triton.served import Client, Server
from tests.triton.test_calls import ones


def told(client: Client, name: str, *arguments: str) -> Any:
    """JSON, by whatever client."""
    return getattr(client, name)(*arguments, **({} if client.over_http else {"as_json": True}))


def test_it_is_live_and_ready_and_so_are_its_models(client: Client) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    for name in MODELS:
        assert client.is_model_ready(name)
        assert client.is_model_ready(name, "1")
    assert not client.is_model_ready("nobody")
    assert not client.is_model_ready("doubler", "7")


def test_a_server_tells_its_name_and_extensions(server: Server, client: Client) -> None:
    about = told(client, "get_server_metadata")
    server.check("the name of the server", about["name"], "triton")
    assert about["version"].count(".") == 2
    of_both = {"model_configuration", "model_repository", "parameters", "schedule_policy", "sequence", "statistics"}
    of_both |= {"system_shared_memory", *(["binary_tensor_data"] if client.over_http or server.is_triton else [])}
    assert of_both <= set(about["extensions"])
    server.check("extensions beyond those of both", " ".join(sorted(set(about["extensions"]) - of_both)), "")


def extents(told: list[dict[str, Any]]) -> list[tuple[str, str, list[int]]]:
    return [(each["name"], each["datatype"], [int(extent) for extent in each["shape"]]) for each in told]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_tells_its_inputs_and_outputs(server: Server, client: Client, name: str) -> None:
    model = MODELS[name]
    batch = [-1] if model.max_batch_size > 0 else []

    def expected(tensors: list[Tensor]) -> list[tuple[str, str, list[int]]]:
        return [(each.name, each.datatype, batch + each.dims) for each in tensors]

    for version in ("", "1"):
        about = told(client, "get_model_metadata", name, version)
        assert (about["name"], about["versions"]) == (name, ["1"])
        assert extents(about["inputs"]) == expected(model.inputs)
        assert extents(about["outputs"]) == expected(model.outputs)
        server.check("the platform of a model", about["platform"], "python")


@pytest.mark.parametrize("name", MODELS)
def test_a_model_tells_its_configuration(server: Server, client: Client, name: str) -> None:
    model = MODELS[name]
    config = told(client, "get_model_config", name)
    config = config if client.over_http else config["config"]

    def tensors(of: str) -> list[tuple[str, str, list[int]]]:
        return [(each["name"], each["data_type"], [int(extent) for extent in each["dims"]]) for each in config[of]]

    assert config["name"] == name
    assert config.get("max_batch_size", 0) == model.max_batch_size
    for of, given in (("input", model.inputs), ("output", model.outputs)):
        kinds = [f"TYPE_{each.datatype}".replace("BYTES", "STRING") for each in given]
        assert tensors(of) == [(each.name, kind, each.dims) for each, kind in zip(given, kinds, strict=True)]
    if model.stream is not None:
        server.check("decoupled", config.get("model_transaction_policy", {}).get("decoupled", False), True)
    assert ("sequence_batching" in config) == (model.step is not None)
    assert ("dynamic_batching" in config) == (model.max_batch_size > 0)


def test_the_index_names_each_model(server: Server, client: Client) -> None:
    index = told(client, "get_model_repository_index")
    models = index if client.over_http else index["models"]
    assert sorted(each["name"] for each in models) == sorted(MODELS)
    assert {(each["version"], each["state"]) for each in models} == {("1", "READY")}


def statistics(client: Client, name: str) -> dict[str, int]:
    (of_model,) = told(client, "get_inference_statistics", name)["model_stats"]
    times = of_model["inference_stats"]
    return {
        "inferences": int(of_model.get("inference_count", 0)),
        "executions": int(of_model.get("execution_count", 0)),
        **{kind: int(times[kind].get("count", 0)) for kind in ("success", "fail", "queue", "compute_infer")},
    }


def counted(client: Client, name: str, before: dict[str, int], requests: int) -> dict[str, int]:
    """What was counted since; the last of so many requests may be counted after it was answered."""
    while True:
        now = statistics(client, name)
        since = {kind: now[kind] - before[kind] for kind in now}
        if since["success"] + since["fail"] >= requests:
            return since


def test_requests_are_counted(server: Server, plain_client: Client) -> None:
    client = plain_client
    before = statistics(client, "doubler")
    for rows in (1, 3):
        client.infer("doubler", [client.tensor("x", ones(rows, 2), "FP32")])
    assert client.refused("doubler", [client.tensor("z", ones(1, 2), "FP32")])[0] != "OK"
    wanted = {"inferences": 4, "executions": 2, "success": 2, "fail": 0, "queue": 2, "compute_infer": 2}
    assert counted(client, "doubler", before, 2) == wanted
    before = statistics(client, "fails")
    assert client.refused("fails", [client.tensor("x", ones(2), "FP32")])[0] != "OK"
    seen = counted(client, "fails", before, 2)
    server.check("rows of failed requests", seen.pop("inferences"), 0)
    assert seen == {"executions": 2, "success": 0, "fail": 2, "queue": 0, "compute_infer": 0}
    assert {each["name"] for each in told(client, "get_inference_statistics")["model_stats"]} == set(MODELS)

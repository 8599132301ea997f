# SPDX-License-Identifier: Apache-2.0
"""remotemedia-model-worker at endpoints of the wire."""

import json
import signal
import socket
from pathlib import Path

import numpy as np
import tritonclient.grpc as triton
import urllib3

import remotemedia as rm
from tests.python.commands.command import MODELS, Command, run
from tests.python.programs.model_worker_program import LINEAR_PLUGIN, ModelWorkerProgram


def answer(client: triton.InferenceServerClient, model: str) -> list[float]:
    x = triton.InferInput("x", [1, 2], "FP32")
    x.set_data_from_numpy(np.array([[1, 2]], dtype=np.float32))
    (answer,) = client.infer(model, [x]).as_numpy("y").tolist()
    return list(answer)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def test_the_program_serves_a_file_and_drains(tmp_path: Path) -> None:
    (tmp_path / "sums.linear").write_text("2 2  1 1  1 0")
    program = ModelWorkerProgram(
        *("--model-path", tmp_path / "sums.linear", "--backend", LINEAR_PLUGIN, "--endpoint", "grpc://127.0.0.1:0")
    )
    with triton.InferenceServerClient(program.endpoint.removeprefix("grpc://")) as client:
        assert answer(client, "sums") == [3, 1]
    code, log = program.end()
    assert code == 0
    assert "all 1 accepted requests answered" in log[-1]["message"]


def test_several_models_share_an_endpoint(tmp_path: Path) -> None:
    (tmp_path / "sums.linear").write_text("2 2  1 1  1 0")
    (tmp_path / "swaps.linear").write_text("2 2  0 1  2 0")
    for endpoint in (f"grpc://127.0.0.1:{free_port()}", f"grpc+unix:{tmp_path}/wire"):
        program = ModelWorkerProgram(
            *("--model", f"sums={tmp_path}/sums.linear", "--model", f"swaps={tmp_path}/swaps.linear"),
            *("--backend", LINEAR_PLUGIN, "--endpoint", endpoint, "--endpoint", f"unix:{tmp_path}/{{model}}"),
        )
        target = endpoint.removeprefix("grpc://").removeprefix("grpc+")
        with triton.InferenceServerClient(target) as client:
            assert answer(client, "sums") == [3, 1]
            assert answer(client, "swaps") == [2, 2]
            assert [each.name for each in client.get_model_repository_index().models] == ["sums", "swaps"]
        assert program.end()[0] == 0


def test_programs_that_serve_and_that_call_take_tokens_and_certificates(tmp_path: Path, certificates: Path) -> None:
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "sums.linear").write_text("2 2  1 1  1 0")
    (tmp_path / "token").write_text("secret\n")
    shown = ("--tls-certificate", certificates / "server.pem", "--tls-key", certificates / "server.key")
    trusted = ("--tls-ca", certificates / "ca.pem")
    token = ("--token-file", tmp_path / "token")
    for target, backend in (("models:Doubler", ()), (tmp_path / "sums.linear", ("--backend", LINEAR_PLUGIN))):
        words = ("serve", target, *backend, "--endpoint", "grpc://127.0.0.1:0", *shown, *token)
        served = Command(*words, folder=tmp_path)
        endpoint = served.ready().split()[1]
        for transport in ("auto", "grpc"):
            call = ("infer", endpoint, "--input", "x=[[1, 2]]", "--transport", transport)
            assert run(*call, *trusted, *token, folder=tmp_path)[0] == 0
            for missing, code in ((trusted, 2), (token, 4)):
                assert run(*call, *missing, folder=tmp_path)[0] == code
        assert run("status", endpoint, *trusted, *token, folder=tmp_path)[0] == 0
        assert served.end(signal.SIGTERM)[0] == 0


def test_what_is_wrong_with_tokens_and_certificates_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "sums.linear").write_text("2 2  1 1  1 0")
    (tmp_path / "empty").write_text("\n")
    for words in (["models:Doubler"], ["sums.linear", "--backend", str(LINEAR_PLUGIN)]):
        for wrong, says in (
            (("--token-file", "none"), "--token-file"),
            (("--token-file", "empty"), "empty"),
            (("--tls-certificate", "server.pem"), "key"),
        ):
            code, _, log = run("serve", *words, *wrong, folder=tmp_path)
            assert (code, len(log.splitlines())) == (2, 1), log
            assert says in log
        beyond = run("serve", *words, "--endpoint", "grpc://0.0.0.0:0", folder=tmp_path)
        assert beyond[0] == 4
        assert "insecure" in beyond[2]


def test_the_program_serves_several_models_over_http(tmp_path: Path) -> None:
    (tmp_path / "sums.linear").write_text("2 2  1 1  1 0")
    (tmp_path / "swaps.linear").write_text("2 2  0 1  2 0")
    endpoint = f"http://127.0.0.1:{free_port()}"
    program = ModelWorkerProgram(
        *("--model", f"sums={tmp_path}/sums.linear", "--model", f"swaps={tmp_path}/swaps.linear"),
        *("--backend", LINEAR_PLUGIN, "--endpoint", endpoint),
    )
    given = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}
    for model, answered in (("sums", [3, 1]), ("swaps", [2, 2])):
        said = urllib3.request("POST", f"{endpoint}/v2/models/{model}/infer", json=given).json()
        assert said["outputs"][0]["data"] == answered
    assert program.end()[0] == 0


def test_the_models_of_an_endpoint_are_listed(tmp_path: Path) -> None:
    (tmp_path / "sums.linear").write_text("2 2  1 1  1 0")
    program = ModelWorkerProgram(
        *("--model-path", tmp_path / "sums.linear", "--backend", LINEAR_PLUGIN, "--endpoint", "grpc://127.0.0.1:0")
    )
    with rm.RemoteModels.connect(program.endpoint).get_or_load("sums"):
        code, out, _ = run("models", program.endpoint, folder=tmp_path)
        head, line = out.splitlines()
        assert (code, head.split()[:5]) == (0, ["model", "state", "serving", "memory_bytes", "leases"])
        assert line.split()[:5] == ["sums", "ready", "yes", "16", "1"]
    code, out, _ = run("models", program.endpoint, "--format", "json", folder=tmp_path)
    (model,) = json.loads(out)
    assert (model["name"], model["state"], model["leases"], model["last_used"]) == ("sums", "ready", 0, None)
    assert model["signature"]["inputs"] == [{"name": "x", "dtype": "float32", "shape": [2]}]
    program.end()
    for endpoint, code in ((program.endpoint, 4), ("unix:/nobody", 2), ("http://127.0.0.1:1", 2)):
        assert run("models", endpoint, folder=tmp_path)[0] == code

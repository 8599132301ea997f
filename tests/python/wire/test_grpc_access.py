# SPDX-License-Identifier: Apache-2.0
"""Who may call over gRPC, and where a worker listens."""

import os
import socket
from pathlib import Path

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

import remotemedia as rm
from tests.python.wire.triton_client import triton_client
from tests.python.wire.wire_server import wire_server


def doubled(client: triton.InferenceServerClient, **options: dict[str, str]) -> list[list[float]]:
    x = triton.InferInput("x", [1, 2], "FP32")
    x.set_data_from_numpy(np.ones((1, 2), dtype=np.float32))
    answer: list[list[float]] = client.infer("doubler", [x], **options).as_numpy("y").tolist()
    return answer


def tls(folder: Path, **files: str) -> str:
    return f"rm.TlsConfig({', '.join(f'{option}={str(folder / file)!r}' for option, file in files.items())})"


def test_tls_shows_the_certificate_and_takes_no_plain_calls(certificates: Path) -> None:
    config = tls(certificates, certificate="server.pem", key="server.key")
    with wire_server(f"serve(Doubler(), tls={config})") as server:
        ca = str(certificates / "ca.pem")
        with triton.InferenceServerClient(server.target, ssl=True, root_certificates=ca) as client:
            assert doubled(client) == [[2, 2]]
        other = str(certificates / "other-ca.pem")
        for options in ({}, {"ssl": True, "root_certificates": other}):
            with triton.InferenceServerClient(server.target, **options) as client:
                for _ in range(2):
                    with pytest.raises(InferenceServerException, match="UNAVAILABLE"):
                        doubled(client)
        with triton.InferenceServerClient(server.target, ssl=True, root_certificates=ca) as client:
            assert doubled(client) == [[2, 2]]


def test_clients_show_a_certificate_where_the_worker_has_a_ca(certificates: Path) -> None:
    config = tls(certificates, certificate="server.pem", key="server.key", ca="ca.pem")
    with wire_server(f"serve(Doubler(), tls={config})") as server:
        trusted = {"ssl": True, "root_certificates": str(certificates / "ca.pem")}

        def shown(name: str) -> dict[str, str]:
            return {
                "private_key": str(certificates / f"{name}.key"),
                "certificate_chain": str(certificates / f"{name}.pem"),
            }

        for options in ({}, shown("stranger")):
            with (
                triton.InferenceServerClient(server.target, **trusted, **options) as client,
                pytest.raises(InferenceServerException, match="UNAVAILABLE"),
            ):
                doubled(client)
        with triton.InferenceServerClient(server.target, **trusted, **shown("client")) as client:
            assert doubled(client) == [[2, 2]]


def test_files_that_are_no_pair_are_refused(certificates: Path) -> None:
    def start(certificate: str, key: str) -> None:
        config = rm.TlsConfig(certificate=str(certificates / certificate), key=str(certificates / key))
        rm.ModelWorker(lambda x: x, rm.WorkerConfig(tls=config)).start("grpc://127.0.0.1:0")

    with pytest.raises(rm.InvalidArgument, match=r"nothing\.pem"):
        start("nothing.pem", "server.key")
    with pytest.raises(rm.InvalidArgument, match=r"server\.csr.*server\.key.*no pair"):
        start("server.csr", "server.key")
    with pytest.raises(rm.InvalidArgument, match="go together"):
        rm.TlsConfig(certificate="server.pem")
    with pytest.raises(rm.InvalidArgument, match="certificate and a key"):
        rm.WorkerConfig(tls=rm.TlsConfig(ca="ca.pem"))


def test_a_token_is_asked_of_every_call_that_tells_or_runs_something() -> None:
    with triton_client("serve(Doubler(), token='open sesame')") as (_, client):
        right = {"authorization": "Bearer open sesame"}
        assert doubled(client, headers=right) == [[2, 2]]
        for wrong in ({}, {"authorization": "Bearer open"}, {"authorization": "open sesame"}):
            with pytest.raises(InferenceServerException, match="token") as raised:
                doubled(client, headers=wrong)
            assert raised.value.status() == "StatusCode.UNAUTHENTICATED"
            for call in (client.get_server_metadata, client.get_model_repository_index, client.is_server_live):
                with pytest.raises(InferenceServerException, match="token"):
                    call(headers=wrong)
            with pytest.raises(InferenceServerException, match="token"):
                client.get_model_metadata("doubler", headers=wrong)
        assert client.get_model_metadata("doubler", headers=right).name == "doubler"


def test_a_stream_without_the_token_ends_at_once() -> None:
    with triton_client("serve(Doubler(), token='open sesame')") as (server, _):
        method = "/inference.GRPCInferenceService/ModelStreamInfer"
        with grpc.insecure_channel(server.target) as channel:
            for _ in range(2):
                with pytest.raises(grpc.RpcError) as raised:
                    list(channel.stream_stream(method)(iter([b""])))
                assert raised.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_the_token_is_not_printed() -> None:
    assert "sesame" not in repr(rm.WorkerConfig(token="open sesame"))


def test_beyond_loopback_tls_a_token_or_insecure_is_asked_for() -> None:
    for endpoint in ("grpc://0.0.0.0:0", "grpc://[::]:0", "grpc://127.example.org:0", "grpc://10.0.0.1:0"):
        for _ in range(2):
            with pytest.raises(rm.InvalidArgument, match="other machines"):
                rm.ModelWorker(lambda x: x).start(endpoint)
    for options in ("insecure=True", "token='open sesame'"):
        with wire_server(f"serve(Doubler(), endpoint='grpc://0.0.0.0:0', {options})") as server:
            assert server.target.startswith("0.0.0.0:")


def test_endpoints_that_make_no_sense_are_refused() -> None:
    for endpoint in ("grpc://", "grpc://:1", "grpc://127.0.0.1", "grpc://127.0.0.1:", "grpc://127.0.0.1:65536",
                     "grpc://127.0.0.1:http", "grpc+unix:", "grpc+unix:" + "x" * 200, "gopher://x:1"):  # fmt: skip
        with pytest.raises(rm.InvalidArgument):
            rm.ModelWorker(lambda x: x).start(endpoint)


def test_a_port_that_is_served_is_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as served:
        for _ in range(2):
            with pytest.raises(OSError, match="in use"):
                rm.ModelWorker(lambda x: x).start(f"grpc://127.0.0.1:{served.getsockname()[1]}")


def test_a_socket_of_the_file_system_is_of_one_user_and_goes_with_the_worker(tmp_path: Path) -> None:
    path = tmp_path / "worker"
    with wire_server(f"serve(Doubler(), endpoint='grpc+unix:{path}')") as server:
        assert path.stat().st_mode & 0o777 == 0o600
        with triton.InferenceServerClient(server.target) as client:
            assert doubled(client) == [[2, 2]]
        with pytest.raises(OSError, match="in use"):
            rm.ModelWorker(lambda x: x).start(f"grpc+unix:{path}")
        assert os.listdir(tmp_path) == ["worker"]  # noqa: PTH208
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_a_socket_that_a_dead_worker_left_is_taken_over(tmp_path: Path) -> None:
    serve = f"serve(Doubler(), endpoint='grpc+unix:{tmp_path / 'worker'}')"
    for _ in range(2):
        with wire_server(serve) as server, triton.InferenceServerClient(server.target) as client:
            assert doubled(client) == [[2, 2]]
        dead = wire_server(serve).__enter__()
        dead.program.kill()
        assert (tmp_path / "worker").is_socket()


def test_a_program_that_names_no_such_endpoint_loads_no_grpc(tmp_path: Path) -> None:
    with wire_server(f"""
def loaded():
    with open("/proc/self/maps") as maps:
        return "libgrpc" in maps.read()
say(str(loaded()))
def unix():
    worker = rm.ModelWorker(Doubler())
    worker.start("unix:{tmp_path / "worker"}")
    say(str(loaded()))
    worker.stop()
unix()
serve(Doubler())
""") as server:
        assert server.program.lines[:2] == ["False", "False"]

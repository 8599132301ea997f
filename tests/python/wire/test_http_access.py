# SPDX-License-Identifier: Apache-2.0
"""Who may call over HTTP, and where a worker listens."""

import os
import ssl
from pathlib import Path
from typing import Any

import pytest
import urllib3

import remotemedia as rm
from tests.python.wire.test_grpc_access import tls
from tests.python.wire.test_http_calls import HTTP, asked
from tests.python.wire.test_http_hostile import GOOD, INFER, all_of, connected
from tests.python.wire.wire_server import WireServer, wire_server


def status_over_tls(server: WireServer, path: str, ca: Path, **certificate: Path) -> int:
    options: dict[str, Any] = {name: str(file) for name, file in certificate.items()}
    with urllib3.PoolManager(ca_certs=str(ca), retries=False, **options) as pool:
        return pool.request("GET", f"https://{server.target}{path}").status


def test_tls_shows_the_certificate_and_takes_no_plain_calls(certificates: Path) -> None:
    config = tls(certificates, certificate="server.pem", key="server.key")
    with wire_server(f"serve(Doubler(), {HTTP}, tls={config})") as server:
        for _ in range(2):
            assert status_over_tls(server, "/v2", certificates / "ca.pem") == 200
            with pytest.raises(urllib3.exceptions.SSLError):
                status_over_tls(server, "/v2", certificates / "other-ca.pem")
            with pytest.raises(urllib3.exceptions.HTTPError):
                asked(server, "/v2")
            with connected(server) as connection:
                connection.sendall(b"\x16\x03\x01\xff\xff" + b"x" * 1000)
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.load_verify_locations(certificates / "ca.pem")
        with urllib3.PoolManager(ssl_context=old) as pool:
            answer = pool.request("POST", f"https://{server.target}{INFER}", json=GOOD)
            assert answer.json()["outputs"][0]["data"] == [2, 2]


def test_clients_show_a_certificate_where_the_worker_has_a_ca(certificates: Path) -> None:
    config = tls(certificates, certificate="server.pem", key="server.key", ca="ca.pem")
    with wire_server(f"serve(Doubler(), {HTTP}, tls={config})") as server:
        ca = certificates / "ca.pem"
        for shown in ({}, {"cert_file": certificates / "stranger.pem", "key_file": certificates / "stranger.key"}):
            with pytest.raises((urllib3.exceptions.HTTPError, ConnectionError)):
                status_over_tls(server, "/v2", ca, **shown)
        known = {"cert_file": certificates / "client.pem", "key_file": certificates / "client.key"}
        assert status_over_tls(server, "/v2", ca, **known) == 200


def test_a_token_is_asked_for_but_for_health() -> None:
    with wire_server(f"serve(Doubler(), {HTTP}, token='secret')") as server:
        for given in (
            {},
            {"Authorization": "Bearer wrong!"},
            {"Authorization": "secret"},
            {"Authorization": "Bearer "},
        ):
            for path, body in ((INFER, GOOD), ("/v2", None), ("/metrics", None), ("/", None)):
                status, answer = asked(server, path, body, headers=given)
                assert status == 401
                assert "Bearer TOKEN" in answer["error"]
        assert asked(server, "/v2/health/ready")[0] == 200
        right = {"Authorization": "Bearer secret"}
        status, answer = asked(server, INFER, GOOD, headers=right)
        assert (status, answer["outputs"][0]["data"]) == (200, [2, 2])


def test_a_body_without_token_is_not_read() -> None:
    with wire_server(f"serve(Doubler(), {HTTP}, token='secret')") as server, connected(server) as connection:
        connection.sendall(f"POST {INFER} HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 401")


def test_beyond_loopback_something_is_asked_of_clients() -> None:
    for endpoint in ("http://0.0.0.0:0", "http://[::]:0", "http://127.evil.example:0"):
        with pytest.raises(ValueError, match="other machines"):
            served(endpoint)
    for options in ({"token": "secret"}, {"insecure": True}):
        worker, reached = served("http://0.0.0.0:0", **options)
        assert not reached.endswith(":0")
        worker.stop()


def served(endpoint: str, **config: Any) -> tuple[rm.ModelWorker, str]:
    worker = rm.ModelWorker(Constant(), rm.WorkerConfig(**config))
    (reached,) = worker.start(endpoint)
    return worker, reached


class Constant(rm.InferenceModel):
    model_id = "constant"

    def signature(self) -> rm.ModelSignature:
        return rm.ModelSignature([], [])

    def infer(self, inputs: Any, context: rm.InferenceContext) -> Any:
        return inputs


def test_addresses_that_make_no_sense_are_refused() -> None:
    for endpoint in ("http://", "http://127.0.0.1", "http://127.0.0.1:x", "http://127.0.0.1:65536", "http://:80"):
        with pytest.raises(ValueError, match="endpoint"):
            served(endpoint)
    with pytest.raises(ValueError, match="no pair"):
        served("http://127.0.0.1:0", tls=rm.TlsConfig(certificate=os.devnull, key=os.devnull))
    worker, reached = served("http://127.0.0.1:0")
    with pytest.raises(ValueError, match="unix: or grpc:"):
        rm.ModelWorkerClient.connect(reached)
    worker.stop()


def test_an_address_in_use_is_an_os_error_and_free_again_after_the_worker() -> None:
    with wire_server(f"serve(Doubler(), {HTTP})") as server:
        for _ in range(2):
            with pytest.raises(OSError, match="in use"):
                served(server.endpoint)
        endpoint = server.endpoint
    for _ in range(2):
        worker, reached = served(endpoint)
        assert reached == endpoint
        worker.stop()


def test_a_worker_that_stops_lets_its_clients_go() -> None:
    with wire_server(f"serve(Doubler(), {HTTP})") as server:
        idle, half = connected(server), connected(server)
        half.sendall(b"POST ")
        assert asked(server, INFER, GOOD)[0] == 200
    for connection in (idle, half):
        assert all_of(connection) == b""
        connection.close()

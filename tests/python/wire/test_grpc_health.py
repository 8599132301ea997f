# SPDX-License-Identifier: Apache-2.0
"""Health checks and reflection, by gRPC's own packages."""

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from grpc_health.v1 import health_pb2 as messages
from grpc_health.v1 import health_pb2_grpc as stubs
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.python.wire.triton_client import triton_client
from tests.python.wire.wire_server import WireServer, wire_server

Status = messages.HealthCheckResponse

SICKENING = """
class Sickening(Doubler):
    well = True
    def infer(self, inputs):
        self.well = False
        return super().infer(inputs)
    def is_healthy(self):
        return self.well
serve(Sickening())
"""


def of(service: str) -> messages.HealthCheckRequest:
    return messages.HealthCheckRequest(service=service)


def test_check_tells_of_each_model_and_of_all() -> None:
    with wire_server("serve(Doubler(), Echo())") as server, grpc.insecure_channel(server.target) as channel:
        health = stubs.HealthStub(channel)
        for service in ("", "doubler", "echo"):
            assert health.Check(of(service)).status == Status.SERVING
        for _ in range(2):
            with pytest.raises(grpc.RpcError) as raised:
                health.Check(of("nobody"))
            assert raised.value.code() == grpc.StatusCode.NOT_FOUND


def test_watch_tells_what_is_and_then_what_changes() -> None:
    with triton_client(SICKENING) as (server, client), grpc.insecure_channel(server.target) as channel:
        health = stubs.HealthStub(channel)
        watched, all_watched, unknown = (health.Watch(of(service)) for service in ("doubler", "", "nobody"))
        assert next(watched).status == next(all_watched).status == Status.SERVING
        assert next(unknown).status == Status.SERVICE_UNKNOWN
        x = triton.InferInput("x", [1, 1], "FP32")
        x.set_data_from_numpy(np.ones((1, 1), dtype=np.float32))
        client.infer("doubler", [x])
        assert health.Check(of("doubler")).status in {Status.SERVING, Status.NOT_SERVING}  # asks the model
        assert next(watched).status == next(all_watched).status == Status.NOT_SERVING
        assert health.Check(of("doubler")).status == Status.NOT_SERVING
        assert not client.is_model_ready("doubler")
        assert not client.is_server_ready()
        for each in (watched, all_watched, unknown):
            each.cancel()


def test_watchers_hear_of_the_end() -> None:
    server = WireServer("serve(Doubler())")
    with grpc.insecure_channel(server.target) as channel:
        watched = stubs.HealthStub(channel).Watch(of(""))
        assert next(watched).status == Status.SERVING
        server.end()
        with pytest.raises((StopIteration, grpc.RpcError)):
            while True:
                assert next(watched).status == Status.NOT_SERVING


def test_reflection_lists_the_services() -> None:
    with wire_server("serve(Doubler())") as server, grpc.insecure_channel(server.target) as channel:
        names = set(ProtoReflectionDescriptorDatabase(channel).get_services())
        assert {"inference.GRPCInferenceService", "grpc.health.v1.Health"} <= names

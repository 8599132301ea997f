# SPDX-License-Identifier: Apache-2.0
"""Triton's own client of a server; apart, since KServe's cannot be in one process with it."""

import contextlib
from collections.abc import Iterator

import tritonclient.grpc as triton

from tests.python.wire.wire_server import WireServer, wire_server


@contextlib.contextmanager
def triton_client(serve: str) -> Iterator[tuple[WireServer, triton.InferenceServerClient]]:
    """A server and a client of Triton's."""
    with wire_server(serve) as server, triton.InferenceServerClient(server.target) as client:
        yield server, client

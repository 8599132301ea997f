# SPDX-License-Identifier: Apache-2.0
"""Shapes whose number of bytes wraps around 2**64: each in a server of its own, since it may be its last."""

import struct

import grpc
import pytest

from tests.triton.hand_made import Input, Request, code_of
from tests.triton.served import Server

GOOD = Request([Input()], "identity_FP32")
WRAPS = {
    "2**62 + 1 elements and four bytes": Input(shape=[1, 2**62 + 1], raw=struct.pack("<f", 1)),
    "2**32 times 2**32 elements and no bytes": Input(shape=[2**32, 2**32], raw=b""),
}


@pytest.mark.parametrize("way", ["grpc", "http"])
@pytest.mark.parametrize("what", WRAPS)
def test_a_shape_that_wraps_is_refused_and_nobody_dies(server_of_its_own: Server, what: str, way: str) -> None:
    server = server_of_its_own
    refused, answered = ("INVALID_ARGUMENT", "OK") if way == "grpc" else ("400", "200")
    assert code_of(server, way, GOOD) == answered
    try:
        told = code_of(server, way, Request([WRAPS[what]], "identity_FP32"))
    except (grpc.RpcError, OSError) as error:
        told = type(error).__name__
    server.check(f"{what}, {way}", told, refused)
    after = [code_of(server, way, GOOD) for _ in range(2)]
    server.check(f"calls after {what}, {way}", after, [answered] * 2)

# SPDX-License-Identifier: Apache-2.0
"""A service as any client of gRPC sees it that knows nothing but its name: by reflection."""

from typing import Any

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


class ReflectedService:
    """Its methods, called with the fields of their requests."""

    def __init__(self, channel: grpc.Channel, name: str, token: str | None = None) -> None:
        pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        self._channel = channel
        self._service = pool.FindServiceByName(name)
        self._metadata = [] if token is None else [("authorization", f"Bearer {token}")]

    def message(self, method: str) -> Any:
        """What a method is sent."""
        return message_factory.GetMessageClass(self._service.methods_by_name[method].input_type)

    def __getattr__(self, name: str) -> Any:
        method = self._service.methods_by_name[name]
        kind = (
            "stream_stream" if method.client_streaming else "unary_stream" if method.server_streaming else "unary_unary"
        )
        request = message_factory.GetMessageClass(method.input_type)
        call = getattr(self._channel, kind)(
            f"/{self._service.full_name}/{name}",
            request_serializer=request.SerializeToString,
            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
        )
        return lambda **fields: call(request(**fields), metadata=self._metadata)

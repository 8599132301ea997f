# SPDX-License-Identifier: Apache-2.0
"""Mosec with a model that gives its input back, bytes as they are. Run as a module, with Mosec's own options."""

from mosec import Server, Worker


class Identity(Worker):  # type: ignore[misc]
    """At module level, since Mosec starts it in processes of its own."""

    def deserialize(self, data: bytes) -> bytes:
        return data

    def forward(self, data: bytes) -> bytes:
        return data

    def serialize(self, data: bytes) -> bytes:
        return data


if __name__ == "__main__":
    server = Server()
    server.append_worker(Identity)
    server.run()

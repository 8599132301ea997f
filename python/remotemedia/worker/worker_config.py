# SPDX-License-Identifier: Apache-2.0
"""How a worker runs its model."""

from dataclasses import dataclass, field

from remotemedia import _core
from remotemedia.core import arguments as check
from remotemedia.core import errors
from remotemedia.worker.tls_config import TlsConfig


@dataclass(frozen=True, kw_only=True)
class WorkerConfig:
    """The limits of a ModelWorker.

    Attributes:
        max_batch_size: Rows of a batch; the smaller of this and the signature's counts.
        batch_delay_us: How long a batch that is not full may wait for more; 0 takes what queued while the model was
            busy.
        instances: Batches that may run at once; more than 1 needs a thread-safe model.
        max_queue: Requests that wait in the worker; beyond, Rejected.
        max_concurrent_requests: Unanswered ones of one client; beyond, Rejected.
        concurrent_streams: Streams open at once. With 1 a stream has its instance to itself; above, they are resumed in
            turn, with other requests between, and the model must allow that.
        stream_window: Unread answers of a stream, after which it is not resumed.
        watchdog_seconds: A call that runs longer makes health_check False.
        session_idle_seconds: After which a session is closed.
        memory_quota_bytes: Of one client process, of each kind: inputs in shared memory, inputs sent in pieces,
            outputs in shared memory. None is half of what the machine has left, 10 GiB at most.
        max_connections: Of one client process; beyond, Rejected.
        output_lease_seconds: How long a client may keep an output that lies in shared memory; once to twice this time
            later its connection ends, and the views that it has stay. None is as long as it likes, within its quota.
        spin_us: How long a thread looks for more before it sleeps, twice that over gRPC; hardly at all once calls keep
            coming later.
        drain_timeout_seconds: After which drain() gives up what still waits.
        tls: For the endpoints of the wire (grpc://, http://): a certificate and its key.
        token: Likewise: what a call has to bring as "authorization: Bearer TOKEN".
        insecure: Likewise: listens beyond loopback without any of both.
        allow_client_shared_memory: Likewise: inputs may lie in, and outputs go to, shared memory of this user that
            clients name.

    Raises:
        TypeError: A limit has the wrong type.
        ValueError: A limit makes no sense.
    """

    max_batch_size: int = 8
    batch_delay_us: int = 0
    instances: int = 1
    max_queue: int = 1024
    max_concurrent_requests: int = 100
    concurrent_streams: int = 1
    stream_window: int = 16
    watchdog_seconds: float = 60.0
    session_idle_seconds: float = 300.0
    memory_quota_bytes: int | None = None
    max_connections: int = 256
    output_lease_seconds: float | None = None
    spin_us: int = 50
    drain_timeout_seconds: float = 30.0
    tls: TlsConfig | None = None
    token: str | None = field(default=None, repr=False)
    insecure: bool = False
    allow_client_shared_memory: bool = False

    def __post_init__(self) -> None:
        for name in ("max_batch_size", "instances", "max_queue", "max_concurrent_requests"):
            check.size(name, getattr(self, name), least=1)
        for name in ("concurrent_streams", "stream_window", "max_connections"):
            check.size(name, getattr(self, name), least=1)
        for name in ("batch_delay_us", "spin_us"):
            if check.size(name, getattr(self, name)) > check.LONGEST_SECONDS * 1e6:
                raise errors.InvalidArgument(f"{name} is more than {check.LONGEST_SECONDS:g} seconds")
        if self.memory_quota_bytes is not None:
            check.size("memory_quota_bytes", self.memory_quota_bytes)
        check.not_negative_seconds("drain_timeout_seconds", self.drain_timeout_seconds)
        for name in ("watchdog_seconds", "session_idle_seconds"):
            if check.not_negative_seconds(name, getattr(self, name)) == 0:
                raise errors.InvalidArgument(f"{name} must be more than zero")
        lease = self.output_lease_seconds
        if lease is not None and check.not_negative_seconds("output_lease_seconds", lease) == 0:
            raise errors.InvalidArgument("output_lease_seconds must be more than zero")
        self._check_access()

    def _check_access(self) -> None:
        if self.tls is not None:
            if not isinstance(self.tls, TlsConfig):
                raise TypeError(f"tls must be a TlsConfig or None, not {type(self.tls).__name__}")
            if self.tls.certificate is None or self.tls.key is None:
                raise errors.InvalidArgument("tls of a worker must have a certificate and a key")
        if self.token is not None and not check.text("token", self.token):
            raise errors.InvalidArgument("token must not be empty: None is none")
        for name in ("insecure", "allow_client_shared_memory"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be a bool, not {type(getattr(self, name)).__name__}")

    def _made(self) -> _core.WorkerConfig:
        return _core.make_worker_config(
            max_batch_size=self.max_batch_size,
            batch_delay_us=self.batch_delay_us,
            instances=self.instances,
            max_queue=self.max_queue,
            max_concurrent_requests=self.max_concurrent_requests,
            concurrent_streams=self.concurrent_streams,
            stream_window=self.stream_window,
            watchdog_seconds=self.watchdog_seconds,
            session_idle_seconds=self.session_idle_seconds,
            memory_quota_bytes=self.memory_quota_bytes,
            max_connections=self.max_connections,
            output_lease_seconds=self.output_lease_seconds,
            spin_us=self.spin_us,
            drain_timeout_seconds=self.drain_timeout_seconds,
            access=_core.make_wire_access(
                tls=None if self.tls is None else self.tls._made(),
                token=self.token or "",
                insecure=self.insecure,
                allow_client_shared_memory=self.allow_client_shared_memory,
            ),
        )

# SPDX-License-Identifier: Apache-2.0
"""A real Triton: the server that NVIDIA ships inside `nvidia-pytriton`, with its Python backend and without a GPU."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ENVIRONMENT = Path(__file__).parents[2] / ".venv-triton"
"""What scripts/test triton sets up."""

MEMORY_PREFIX = "remotemedia_triton_"


class NoTriton(Exception):
    """There is none on this machine, or it does not start; with what is missing."""


class TritonServer:
    """Serves a repository from when it is made until it is stopped.

    Args:
        repository: A folder with models.
        folder: Where it may write; what it says is in `log` there.
        environment: Variables of its own, beside those of this process.

    Raises:
        NoTriton: It does not start.
    """

    def __init__(self, repository: Path, folder: Path, environment: dict[str, str] | None = None) -> None:
        packages = packages_of(ENVIRONMENT)
        server, version = packages / "pytriton/tritonserver", packages.parent.name.removeprefix("python")
        backends = folder / "backends"
        # The backend wants to find the part of it that runs Python beside itself.
        shutil.copytree(server / "backends/python", backends / "python")
        stub = server / f"python_backend_stubs/{version}/triton_python_backend_stub"
        if not stub.exists():
            raise NoTriton(f"nvidia-pytriton has nothing for Python {version}")
        shutil.copy(stub, backends / "python")
        self.grpc, self.http = (f"127.0.0.1:{port}" for port in free_ports(2))
        self.log = folder / "log"
        words = {
            "model-repository": repository,
            "backend-directory": backends,
            "grpc-address": "127.0.0.1",
            "grpc-port": self.grpc.split(":")[1],
            "http-address": "127.0.0.1",
            "http-port": self.http.split(":")[1],
            "allow-metrics": "false",
            "exit-timeout-secs": 5,
            "pinned-memory-pool-byte-size": 0,
            "backend-config": f"python,shm-region-prefix-name={MEMORY_PREFIX}{os.getpid()}_",
        }
        # Its Python takes the first interpreter on PATH for its own, and packages from where that one has them.
        variables = {
            **os.environ,
            "PATH": f"{ENVIRONMENT / 'bin'}:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": str(packages / "nvidia_pytriton.libs"),
            **(environment or {}),
        }
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [server / "bin/tritonserver", *(f"--{name}={value}" for name, value in words.items())],
                env=variables,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C is for this process, which stops it
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Returns when it has gone, and its backends with it."""
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for left in Path("/dev/shm").glob(f"{MEMORY_PREFIX}{os.getpid()}_*"):  # it does not always do so itself
            left.unlink(missing_ok=True)

    def _wait_until_ready(self) -> None:
        while True:
            if self.process.poll() is not None:
                raise NoTriton(f"tritonserver ended with {self.process.returncode}: {self.log.read_text()[-2000:]}")
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                if urllib.request.urlopen(f"http://{self.http}/v2/health/ready", timeout=10).status == 200:
                    return


def packages_of(environment: Path) -> Path:
    """Where it has its packages.

    Raises:
        NoTriton: Triton's server is not among them.
    """
    for packages in environment.glob("lib/python3.*/site-packages"):
        if (packages / "pytriton/tritonserver/bin/tritonserver").exists():
            return packages
    raise NoTriton("no real Triton here: scripts/test triton gets one (a wheel of 53 MiB, 170 MiB on disk)")


def free_ports(number: int) -> list[int]:
    """Of 127.0.0.1: nobody listens there now."""
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [each.getsockname()[1] for each in taken]


@contextlib.contextmanager
def triton_server(repository: Path, folder: Path, environment: dict[str, str] | None = None) -> Iterator[TritonServer]:
    """Stopped at the end, whatever happens."""
    server = TritonServer(repository, folder, environment)
    try:
        yield server
    finally:
        server.stop()

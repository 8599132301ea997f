# SPDX-License-Identifier: Apache-2.0
"""Models behind an endpoint of the wire, in interpreters of their own."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.python.core.program import Program
from tests.python.workers.served import models

WIRE_MODELS = """
class Echo(rm.InferenceModel):  # gives what it is given
    model_id = "echo"
    def signature(self):
        return rm.ModelSignature([], [])
    def infer(self, inputs):
        return dict(inputs)

class Sums(rm.InferenceModel):  # of a session, so far
    model_id = "sums"
    def signature(self):
        x, sums = rm.TensorSpec("x", "int64", [1]), rm.TensorSpec("sum", "int64", [1])
        return rm.ModelSignature([x], [sums], stateful=True)
    def infer(self, inputs, context):
        (request,) = context.requests
        request.state["sum"] += int(inputs["x"][0])
        return {"sum": np.array([request.state["sum"]])}
    def open_session(self, session_id):
        say("opened " + session_id)
        return {"sum": 0}
    def close_session(self, session_id, state):
        say(f"closed {session_id} at {state['sum']}")

class Counts(rm.InferenceModel):  # up to its input
    model_id = "counts"
    def signature(self):
        return rm.ModelSignature([rm.TensorSpec("to", "int32", [1])], [rm.TensorSpec("n", "int32", [1])])
    def infer(self, inputs):
        return {"n": inputs["to"]}
    def infer_stream(self, inputs):
        try:
            for n in range(1, int(inputs["to"][0]) + 1):
                if n == 13:
                    raise ValueError("13 is not counted")
                yield {"n": np.array([n], dtype=np.int32)}
        except GeneratorExit:
            say("left")
            raise

def serve(*models, endpoint="grpc://127.0.0.1:0", **config):
    workers = [rm.ModelWorker(model, rm.WorkerConfig(**config)) for model in models]
    for worker in workers:
        (endpoint,) = worker.start(endpoint)
    say(endpoint)
    say("serves")
    gates["end"].wait()
    for worker in workers:
        worker.stop()
"""


class WireServer:
    """Serves until it is told to end."""

    def __init__(self, serve: str) -> None:
        self.program = Program(models(""), WIRE_MODELS, serve)
        self.program.wait_for("serves")
        self.endpoint = self.program.lines[-2]

    @property
    def target(self) -> str:
        """What clients of Triton call it."""
        return self.endpoint.removeprefix("grpc://").removeprefix("grpc+").removeprefix("http://")

    @property
    def resident_bytes(self) -> int:
        """Memory that the process has in RAM."""
        pages = int(Path(f"/proc/{self.program.pid}/statm").read_text().split()[1])
        return pages * 4096

    def end(self) -> list[str]:
        self.program.tell("end")
        return self.program.end()


@contextlib.contextmanager
def wire_server(serve: str) -> Iterator[WireServer]:
    """It ends well, unless the test failed."""
    server = WireServer(serve)
    try:
        yield server
    except BaseException:
        server.program.kill()
        raise
    server.end()

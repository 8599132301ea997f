# SPDX-License-Identifier: Apache-2.0
"""Workers that serve the models of `model_behaviour` over gRPC and HTTP, in a process of their own until it is told to
end: `python -m tests.triton.worker_process [MODEL...]`.
"""

import sys
from collections.abc import Iterator
from typing import Any

import remotemedia as rm
from tests.triton.model_behaviour import MODELS, NUMPY, Arrays, Call, Model, Tensor


class Served(rm.InferenceModel):
    """One that answers each request for itself, and all rows of a batch at once."""

    def __init__(self, name: str, model: Model) -> None:
        self.model_id = name
        self.model = model

    def signature(self) -> rm.ModelSignature:
        stateful, most = self.model.step is not None, self.model.max_batch_size or None
        inputs, outputs = ([_spec(each) for each in tensors] for tensors in (self.model.inputs, self.model.outputs))
        return rm.ModelSignature(inputs, outputs, stateful=stateful, **({"max_batch_size": most} if most else {}))

    def infer(self, inputs: Arrays, context: rm.InferenceContext) -> dict[str, Any]:
        if self.model.stream is not None:
            return next(self.model.stream(inputs))
        if self.model.step is not None:
            (request,) = context.requests
            return self.model.step(inputs, request.state)
        if self.model.run is None:
            return {"y": inputs["x"]}
        return self.model.run(Call(inputs, context.requests[0].parameters, lambda: context.cancelled))

    def open_session(self, session_id: str) -> dict[str, int]:
        return {}


class ServedStream(Served):
    """One that answers a request as often as it likes."""

    def infer_stream(self, inputs: Arrays, context: rm.InferenceContext) -> Iterator[Arrays]:
        assert self.model.stream is not None
        yield from self.model.stream(inputs)


def _spec(tensor: Tensor) -> rm.TensorSpec:
    dtype: Any = "bfloat16" if tensor.datatype == "BF16" else NUMPY.get(tensor.datatype, tensor.datatype.lower())
    return rm.TensorSpec(tensor.name, dtype, tensor.dims)


def main() -> None:
    endpoints = ["grpc://127.0.0.1:0", "http://127.0.0.1:0"]
    workers = []
    for name in sys.argv[1:] or MODELS:
        model = MODELS[name]
        served = Served if model.stream is None else ServedStream
        config = rm.WorkerConfig(max_batch_size=16, max_queue=model.max_queue, allow_client_shared_memory=True)
        worker = rm.ModelWorker(served(name, model), config)
        workers.append(worker)
        endpoints = list(worker.start(*endpoints))
    print(*endpoints, flush=True)
    sys.stdin.read()
    for worker in workers:
        worker.stop()


if __name__ == "__main__":
    main()

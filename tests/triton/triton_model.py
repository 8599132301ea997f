# SPDX-License-Identifier: Apache-2.0
"""What Triton's Python backend runs: the models of `model_behaviour`, and a repository with all of them."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.triton.model_behaviour import MODELS, Call, Model, Tensor

ROOT = Path(__file__).parents[2]
MODEL_FILE = f"""import sys

sys.path.append({str(ROOT)!r})
from tests.triton.triton_model import TritonPythonModel
"""


class TritonPythonModel:
    """Made by the backend, once for each model."""

    def initialize(self, arguments: dict[str, str]) -> None:
        self._model = MODELS[arguments["model_name"]]
        self._sums: dict[Any, dict[str, int]] = {}

    def execute(self, requests: Sequence[Any]) -> list[Any] | None:
        if self._model.stream is None:
            return [self._answer(request) for request in requests]
        for request in requests:
            self._answer_often(request)
        return None

    def _answer(self, request: Any) -> Any:
        import triton_python_backend_utils as backend

        if self._model.run is None and self._model.step is None:
            (x,) = request.inputs()
            if self._model.inputs[0].datatype == "BYTES":
                return backend.InferenceResponse([backend.Tensor("y", x.as_numpy())])
            return backend.InferenceResponse([backend.Tensor.from_dlpack("y", x.to_dlpack())])
        inputs = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
        if self._model.step is not None:
            if request.flags() & backend.TRITONSERVER_REQUEST_FLAG_SEQUENCE_START:
                self._sums[request.correlation_id()] = {}
            outputs = self._model.step(inputs, self._sums[request.correlation_id()])
        else:
            assert self._model.run is not None
            parameters = json.loads(request.parameters() or "{}")
            outputs = self._model.run(Call(inputs, parameters, request.is_cancelled))
        return backend.InferenceResponse([backend.Tensor(name, array) for name, array in outputs.items()])

    def _answer_often(self, request: Any) -> None:
        import triton_python_backend_utils as backend

        assert self._model.stream is not None
        sender = request.get_response_sender()
        try:
            for outputs in self._model.stream({tensor.name(): tensor.as_numpy() for tensor in request.inputs()}):
                sender.send(backend.InferenceResponse([backend.Tensor(name, each) for name, each in outputs.items()]))
        except ValueError as error:
            sender.send(backend.InferenceResponse([], backend.TritonError(str(error))))
        sender.send(flags=backend.TRITONSERVER_RESPONSE_COMPLETE_FINAL)


def write_repository(folder: Path, names: Iterable[str] = MODELS) -> None:
    """Models as a Triton wants them."""
    for name in names:
        version = folder / name / "1"
        version.mkdir(parents=True)
        (version / "model.py").write_text(MODEL_FILE)
        (folder / name / "config.pbtxt").write_text(_config(MODELS[name]))


def _config(model: Model) -> str:
    lines = [
        'backend: "python"',
        f"max_batch_size: {model.max_batch_size}",
        f"instance_group {{ count: {model.instances} kind: KIND_CPU }}",
    ]
    lines += [f"input {_tensor(each)}" for each in model.inputs] + [f"output {_tensor(each)}" for each in model.outputs]
    return "\n".join(lines) + "\n" + model.config


def _tensor(tensor: Tensor) -> str:
    datatype = "STRING" if tensor.datatype == "BYTES" else tensor.datatype
    return f'{{ name: "{tensor.name}" data_type: TYPE_{datatype} dims: {tensor.dims} }}'

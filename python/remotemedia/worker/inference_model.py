# SPDX-License-Identifier: Apache-2.0
"""What can be served: a class with a signature, or any callable over arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy.typing as npt

from remotemedia._core import InferenceContext, ModelSignature, RequestInfo, TensorSpec
from remotemedia.core.array_like import ArrayLike

__all__ = ["InferenceContext", "InferenceModel", "ModelSignature", "RequestInfo", "TensorSpec"]

Arrays = dict[str, npt.NDArray[Any]]


class InferenceModel:
    """What can be served.

    A worker calls everything here from threads of its own, one at a time unless its config has more instances. Whatever
    a method raises fails the request as InferenceFailed, with the traceback in its text; the model goes on.

    Attributes:
        model_id: What status and errors call it.
        device: Where it runs, as torch writes it.

    Example:
        >>> class Doubler(InferenceModel):
        ...     model_id = "doubler"
        ...
        ...     def signature(self):
        ...         return ModelSignature([TensorSpec("x", "float32", [-1])], [TensorSpec("y", "float32", [-1])])
        ...
        ...     def infer(self, inputs):
        ...         return {"y": inputs["x"] * 2}
    """

    model_id: str
    device: str = "cpu"

    def signature(self) -> ModelSignature:
        """What it takes and gives. Asked once. By default it takes what it is given, unchecked and unbatched."""
        return ModelSignature([], [])

    def memory_usage(self) -> int:
        """Bytes. Asked once."""
        return 0

    def warm_up(self) -> None:
        """Before the first request. What it raises, start() raises as LoadFailed."""

    def infer(self, inputs: Arrays, context: InferenceContext) -> Mapping[str, ArrayLike]:
        """One batch. May be declared without `context`.

        With max_batch_size > 0 every input's first dimension is the batch. Requests run together only when their shapes
        beyond the batch and their parameters are equal; two of one session never do, and they run in the order they
        were made. When a batch of several raises, each is tried alone.

        Args:
            inputs: Read-only views of the callers' memory; bfloat16 and float8 as ml_dtypes arrays.
            context: Who asks, and memory for the answers.

        Returns:
            The outputs by name: arrays of the signature's dtype, TensorBuffers, what exports DLPack; numbers and lists
            take the dtype. What came from context.allocate is not copied.
        """
        raise NotImplementedError(f"{type(self).__name__} has no infer")

    def infer_stream(self, inputs: Arrays, context: InferenceContext) -> Iterator[Mapping[str, ArrayLike]]:
        """Many answers to one request, which runs alone. Left out, infer's answer is the only one.

        A generator gets GeneratorExit when the caller goes away, and is not resumed while stream_window answers are
        unread.
        """
        raise NotImplementedError(f"{type(self).__name__} has no infer_stream")

    def open_session(self, session_id: str) -> Any:  # noqa: ARG002
        """Of a stateful model: a session's state, on its first request."""
        return None

    def close_session(self, session_id: str, state: Any) -> None:
        """When its client closed it or died, when it was idle for too long, and at the end."""

    def is_healthy(self) -> bool:
        """Asked between batches; health_check gives its last answer."""
        return True

    def close(self) -> None:
        """Once, after everything else."""

    @staticmethod
    def from_callable(
        function: Callable[..., Any], *, model_id: str, signature: ModelSignature | None = None
    ) -> InferenceModel:
        """A model that calls a function.

        With a signature the function gets the inputs in the signature's order, and returns the output, several in the
        signature's order, or a mapping. Without one it gets what callers send: one array as its argument, several by
        name; one array that it returns is named "output".

        Args:
            function: Over read-only arrays.
            model_id: What status and errors call it.
            signature: What it takes and gives. None: whatever it is given, unchecked and unbatched.

        Raises:
            TypeError: It cannot be called.
        """
        if not callable(function):
            raise TypeError(f"a model is an InferenceModel or a callable, not {type(function).__name__}")
        return _CallableModel(function, model_id, ModelSignature([], []) if signature is None else signature)


class _CallableModel(InferenceModel):
    def __init__(self, function: Callable[..., Any], model_id: str, signature: ModelSignature) -> None:
        self.model_id = model_id
        self._function = function
        self._signature = signature
        self._inputs = [spec.name for spec in signature.inputs]
        self._outputs = [spec.name for spec in signature.outputs]

    def signature(self) -> ModelSignature:
        return self._signature

    def infer(self, inputs: Arrays, context: InferenceContext) -> Mapping[str, ArrayLike]:  # noqa: ARG002
        return self._named(self._call(inputs))

    def _call(self, inputs: Arrays) -> Any:
        if self._inputs:
            return self._function(*(inputs[name] for name in self._inputs))
        return self._function(*inputs.values()) if len(inputs) == 1 else self._function(**inputs)

    def _named(self, result: Any) -> Mapping[str, ArrayLike]:
        if isinstance(result, Mapping):
            return result
        if len(self._outputs) > 1 and isinstance(result, Sequence):
            return dict(zip(self._outputs, result, strict=True))
        return {self._outputs[0] if self._outputs else "output": result}

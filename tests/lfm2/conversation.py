# SPDX-License-Identifier: Apache-2.0
"""What tests of conversations ask, read and hold up."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from remotemedia.nodes import RuntimeData
from remotemedia.nodes.ml.lfm2_audio import LFM2AudioNode
from remotemedia.nodes.ml.lfm2_session import Session, SessionInfo


async def ask(node: LFM2AudioNode, session: Session, question: RuntimeData | str) -> list[RuntimeData]:
    item = RuntimeData.text(question) if isinstance(question, str) else question
    return [answer async for answer in node.process(item, session)]


def text_of(items: list[RuntimeData]) -> str:
    return "".join(item.payload for item in items if item.kind == "text")


def sound_of(items: list[RuntimeData]) -> npt.NDArray[np.float32]:
    sounds = (item.payload.to_numpy() for item in items if item.kind == "audio")
    return np.concatenate([np.zeros(0, np.float32), *sounds])


def same(these: list[RuntimeData], those: list[RuntimeData]) -> bool:
    return len(these) == len(those) and all(
        a.kind == b.kind and (a.payload == b.payload if a.kind == "text" else np.array_equal(a.payload, b.payload))
        for a, b in zip(these, those, strict=True)
    )


def speech(seconds: float = 1.0, rate: int = 16_000, seed: int = 0) -> RuntimeData:
    noise = np.random.default_rng(seed).standard_normal(int(seconds * rate)) * 0.1
    return RuntimeData.audio(noise.astype(np.float32), rate)


def info_of(node: LFM2AudioNode, session_id: str) -> SessionInfo:
    (info,) = [info for info in node.sessions() if info.session_id == session_id]
    return info


class StepGate:
    """Counts a network's steps, one prompt or one token each, and holds the step that it is told to."""

    def __init__(self, network: torch.nn.Module, *, hold_at: int = 0) -> None:
        self.steps = 0
        self.hold_at = hold_at
        self.reached = threading.Event()
        self.released = threading.Event()
        self._hook = network.register_forward_hook(self._step)

    def _step(self, *_: Any) -> None:
        self.steps += 1
        if self.steps == self.hold_at:
            self.reached.set()
            assert self.released.wait(60)

    def remove(self) -> None:
        self.released.set()
        self._hook.remove()

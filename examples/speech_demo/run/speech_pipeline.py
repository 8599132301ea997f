# SPDX-License-Identifier: Apache-2.0
"""The pipeline that this demo is about: speech is found, then written down, and both are watched."""

from collections.abc import Callable

from remotemedia import ModelRegistry, Node, Pipeline, RuntimeData, SileroVADNode, WhisperNode


class Watch(Node):
    """Shows every item to a function and passes it on."""

    def __init__(self, show: Callable[[RuntimeData], None], name: str | None = None) -> None:
        super().__init__(name)
        self._show = show

    async def process(self, item: RuntimeData) -> RuntimeData:
        """The item itself."""
        self._show(item)
        return item


def make_pipeline(
    registry: ModelRegistry,
    on_audio: Callable[[RuntimeData], None],
    on_speech: Callable[[RuntimeData], None],
    *,
    speech_to_text: bool,
) -> Pipeline:
    """Audio in; text out, or segments of speech without speech_to_text.

    Args:
        registry: Where the pipeline takes its models: loaded there for the first that asks, shared by all.
        on_audio: Called with each item of audio, before anything is done with it.
        on_speech: Called with each segment of speech.
        speech_to_text: Whether segments become text.
    """
    nodes = [Watch(on_audio, "audio"), SileroVADNode(registry=registry), Watch(on_speech, "speech")]
    if speech_to_text:
        nodes.append(WhisperNode(registry=registry, language="en"))
    return Pipeline(nodes, queue_size=1)

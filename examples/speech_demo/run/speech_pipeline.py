# SPDX-License-Identifier: Apache-2.0
"""The pipeline that this demo is about: speech is found, then written down, and both are watched."""

from collections.abc import Callable

from examples.speech_demo.run.job import ClientJob
from remotemedia import Node, Pipeline, RuntimeData, SileroVADNode, WhisperNode


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
    job: ClientJob, on_audio: Callable[[RuntimeData], None], on_speech: Callable[[RuntimeData], None]
) -> Pipeline:
    """Audio in; text out, or segments of speech where the job wants no text.

    Args:
        job: Where the models are: in workers, or loaded once for all pipelines of this process.
        on_audio: Called with each item of audio, before anything is done with it.
        on_speech: Called with each segment of speech.
    """
    nodes = [Watch(on_audio, "audio"), SileroVADNode(worker=job.vad), Watch(on_speech, "speech")]
    if job.speech_to_text:
        nodes.append(WhisperNode(worker=job.whisper, language="en"))
    return Pipeline(nodes, queue_size=1)

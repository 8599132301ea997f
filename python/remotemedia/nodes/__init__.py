# SPDX-License-Identifier: Apache-2.0
"""Nodes, the steps of a pipeline, and the items that go through them."""

from remotemedia.nodes.audio_file import AudioFileSource
from remotemedia.nodes.echo import EchoNode
from remotemedia.nodes.ml.embedding import EmbeddingNode
from remotemedia.nodes.ml.lfm2_audio import LFM2AudioNode
from remotemedia.nodes.ml.silero_vad import SileroVADNode
from remotemedia.nodes.ml.whisper import WhisperNode
from remotemedia.nodes.node import Node
from remotemedia.nodes.node_types import get_node_class, list_registered_nodes, register_node
from remotemedia.nodes.runtime_data import RuntimeData

__all__ = [
    "AudioFileSource",
    "EchoNode",
    "EmbeddingNode",
    "LFM2AudioNode",
    "Node",
    "RuntimeData",
    "SileroVADNode",
    "WhisperNode",
    "get_node_class",
    "list_registered_nodes",
    "register_node",
]

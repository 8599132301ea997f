# SPDX-License-Identifier: Apache-2.0
"""Writes down the speech in audio files, all at once with one copy of each model: `python transcribe.py FILE...`.

Needs the extras `remotemedia[vad,whisper]` and `pip install --no-deps silero-vad`.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

import remotemedia as rm
from remotemedia.nodes import AudioFileSource


def transcribe(file: str) -> list[rm.RuntimeData]:
    """The texts of one file, each with its start and end in seconds."""
    pipeline = rm.Pipeline([rm.SileroVADNode(), rm.WhisperNode(language="en")])
    return pipeline.run(AudioFileSource(file))


files = sys.argv[1:]
with ThreadPoolExecutor(max_workers=max(1, len(files))) as threads:
    for file, texts in zip(files, threads.map(transcribe, files), strict=True):
        print(file)
        for text in texts:
            print(f"  {text.metadata['start']:6.2f} {text.metadata['end']:6.2f}  {text.payload}")

print("loads:", rm.registry().metrics().loads)

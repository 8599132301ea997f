# SPDX-License-Identifier: Apache-2.0
"""A program of its own that streams a recording through a VAD in a worker: what it hears goes to standard output.

    python -m tests.python.programs.streaming_client ENDPOINT RECORDING.npy [reconnect]

It says "half" in the middle and goes on after a line on standard input; at the end a JSON object: `probabilities`, or
`error` and `message`.
"""

import json
import sys
from collections.abc import Iterator

import numpy as np

import remotemedia as rm
from remotemedia.nodes import RuntimeData, SileroVADNode
from remotemedia.pipeline import Pipeline


def chunks(path: str) -> Iterator[RuntimeData]:
    samples = np.load(path)
    for at in range(0, len(samples), 1600):
        if at == len(samples) // 2 // 1600 * 1600:
            print("half", flush=True)
            sys.stdin.readline()
        yield RuntimeData.audio(samples[at : at + 1600], 16000)


def main() -> None:
    endpoint, recording, *rest = sys.argv[1:]
    node = SileroVADNode(name="vad", worker=endpoint, emit="probabilities", reconnect=rest == ["reconnect"])
    try:
        heard = [item.payload.to_numpy() for item in Pipeline([node]).run(chunks(recording))]
        print(json.dumps({"probabilities": np.concatenate(heard).tolist()}), flush=True)
    except rm.RemoteMediaError as error:
        said = "\n".join([str(error), *getattr(error, "__notes__", [])])
        print(json.dumps({"error": type(error).__name__, "message": said}), flush=True)


if __name__ == "__main__":
    main()

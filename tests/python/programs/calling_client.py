# SPDX-License-Identifier: Apache-2.0
"""A program of its own that calls a worker as fast as it can until it is refused: a JSON object says what it got.

    python -m tests.python.programs.calling_client ENDPOINT THREADS

The model is y = [x0 + x1, x0], and every answer is checked. It says "calls" once each thread has an answer.
"""

import json
import sys
import threading

import numpy as np

import remotemedia as rm


class Caller:
    """Threads that share a client."""

    def __init__(self, endpoint: str, threads: int) -> None:
        self._client = rm.ModelWorkerClient.connect(endpoint, max_retries=0)
        self._lock = threading.Lock()
        self.answered = 0
        self.wrong = 0
        self.ends: list[str] = []
        self.began = threading.Barrier(threads + 1)
        self.threads = [threading.Thread(target=self._call, args=(float(index),)) for index in range(threads)]

    def _call(self, x: float) -> None:
        begun = False
        while True:
            try:
                y = self._client.infer(np.array([[x, 1]], np.float32)).to_numpy()
            except rm.RemoteMediaError as error:
                with self._lock:
                    self.ends.append(type(error).__name__)
                return
            with self._lock:
                self.answered += 1
                self.wrong += y.tolist() != [[x + 1, x]]
            if not begun:
                begun = True
                self.began.wait(60)


def main() -> None:
    caller = Caller(sys.argv[1], int(sys.argv[2]))
    for thread in caller.threads:
        thread.start()
    caller.began.wait(60)
    print("calls", flush=True)
    for thread in caller.threads:
        thread.join()
    print(json.dumps({"answered": caller.answered, "wrong": caller.wrong, "ends": caller.ends}), flush=True)


if __name__ == "__main__":
    main()

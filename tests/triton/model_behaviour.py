# SPDX-License-Identifier: Apache-2.0
"""The models that are served by a Triton and by workers: what they take, what they give, and what they do.

Read by Triton's own Python and by ours: nothing but NumPy is used.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray[Any, Any]]

NUMPY = {"BOOL": "bool", "FP16": "float16", "FP32": "float32", "FP64": "float64"}
DATATYPES = (
    "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP16", "BF16", "FP32", "FP64",
)  # fmt: skip
"""All but BYTES."""

FOLDER = "REMOTEMEDIA_TEST_FOLDER"
"""The variable that says where `gated` writes what it does, and finds whether it may go on."""


@dataclass(frozen=True)
class Call:
    """One request as a model sees it."""

    inputs: Arrays
    parameters: Mapping[str, Any]
    cancelled: Callable[[], bool]


@dataclass(frozen=True)
class Tensor:
    """The batch, where there is one, is not among its extents."""

    name: str
    datatype: str
    dims: list[int]


@dataclass(frozen=True)
class Model:
    """run, stream, step: what it does; none of them where the answer is the input, whatever its elements are.

    max_queue: Of requests that wait; beyond, they are refused.
    instances: Of a Triton, which has as many sequences under way and no more.
    """

    inputs: list[Tensor]
    outputs: list[Tensor]
    run: Callable[[Call], Arrays] | None = None
    stream: Callable[[Arrays], Iterator[Arrays]] | None = None
    step: Callable[[Arrays, dict[str, int]], Arrays] | None = None
    max_batch_size: int = 0
    max_queue: int = 1024
    instances: int = 1
    config: str = field(default="")
    """What a file of Triton says beyond that."""


def double(call: Call) -> Arrays:
    return {"y": call.inputs["x"] * 2}


def combine(call: Call) -> Arrays:
    a, b = call.inputs["a"], call.inputs["b"]
    return {"sum": a + b, "difference": a - b, "product": a * b}


def add_parameter(call: Call) -> Arrays:
    return {"y": call.inputs["x"] + int(call.parameters.get("add", 0))}


def fail(call: Call) -> Arrays:
    raise ValueError("not today")


def pass_gate(call: Call) -> Arrays:
    """A negative number waits until there is a file `go`; each is written down when it is run, and when it has."""
    folder, x = Path(os.environ[FOLDER]), call.inputs["x"]
    value = float(x.min())
    write_down(folder, f"began {value:g}")
    while value < 0 and not (folder / "go").exists() and not call.cancelled():
        time.sleep(0.001)
    write_down(folder, f"{'cancelled' if call.cancelled() else 'ran'} {value:g}")
    return {"y": x}


def write_down(folder: Path, line: str) -> None:
    with (folder / "lines").open("a") as lines:
        lines.write(line + "\n")


def count(inputs: Arrays) -> Iterator[Arrays]:
    """Up to its input; 13 is not counted."""
    for n in range(1, int(inputs["to"][0]) + 1):
        if n == 13:
            raise ValueError("13 is not counted")
        yield {"n": np.array([n], dtype=np.int32)}


def sum_so_far(inputs: Arrays, state: dict[str, int]) -> Arrays:
    state["sum"] = state.get("sum", 0) + int(inputs["x"][0])
    return {"sum": np.array([state["sum"]])}


BATCHING = """dynamic_batching {{
  default_queue_policy {{
    timeout_action: REJECT allow_timeout_override: true default_timeout_microseconds: 600000000 max_queue_size: {most}
  }}
}}
"""


def models() -> dict[str, Model]:
    made = {
        "doubler": Model(
            [Tensor("x", "FP32", [-1])],
            [Tensor("y", "FP32", [-1])],
            double,
            max_batch_size=16,
            config=BATCHING.format(most=0),
        ),
        "pair": Model(
            [Tensor(name, "FP32", [-1]) for name in ("a", "b")],
            [Tensor(name, "FP32", [-1]) for name in ("sum", "difference", "product")],
            combine,
        ),
        "adds": Model([Tensor("x", "INT64", [1])], [Tensor("y", "INT64", [1])], add_parameter),
        "fails": Model([Tensor("x", "FP32", [-1])], [Tensor("y", "FP32", [-1])], fail),
        "gated": Model(
            [Tensor("x", "FP32", [1])],
            [Tensor("y", "FP32", [1])],
            pass_gate,
            max_batch_size=4,
            config=BATCHING.format(most=0),
        ),
        "narrow": Model(
            [Tensor("x", "FP32", [1])],
            [Tensor("y", "FP32", [1])],
            pass_gate,
            max_batch_size=1,
            max_queue=2,
            config=BATCHING.format(most=2),
        ),
        "counts": Model(
            [Tensor("to", "INT32", [1])],
            [Tensor("n", "INT32", [1])],
            stream=count,
            config="model_transaction_policy { decoupled: true }\n",
        ),
        "sums": Model(
            [Tensor("x", "INT64", [1])],
            [Tensor("sum", "INT64", [1])],
            step=sum_so_far,
            instances=4,
            config="sequence_batching { max_sequence_idle_microseconds: 60000000 }\n",
        ),
    }
    for datatype in (*DATATYPES, "BYTES"):
        made[f"identity_{datatype}"] = Model([Tensor("x", datatype, [-1, -1])], [Tensor("y", datatype, [-1, -1])])
    return made


MODELS = models()
